"""What all verbs have in common: admit, begin, do, finish; and what happens when one of them does not go well.

- Admit: the fence on the disk is raised to the order. Begin: the conductor agrees, or says what is wanted instead.
- Do: `perform`, which may find its work half done or done, and so looks before it acts.
- Finish: the report is repeated until it is answered. Refused: the guest is made as wanted, and the order forgotten.
- Cancelled: nothing is reported, because a newer order owns the server, or the agent stops and resumes later.
"""

import abc
import logging
import time
import traceback
from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec

from cloudplane import faultpoints
from cloudplane.compute.bounded import Limit, run_bounded
from cloudplane.compute.converge import Wish
from cloudplane.compute.fence import Mark
from cloudplane.compute.job import SUPERSEDED, Job
from cloudplane.compute.operations.unfinished import discard_superseded_image
from cloudplane.compute.session import backoff
from cloudplane.compute.virt.driver import GuestInfo, Progress
from cloudplane.compute.workplace import Workplace
from cloudplane.exceptions import Cancelled, CloudplaneException, GuestError, GuestNotFound, HypervisorUnavailable
from cloudplane.objects.operation import FinishReport, Verdict
from cloudplane.objects.server import Address

LOG = logging.getLogger(__name__)

T = TypeVar('T')


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the work ended, for the report."""

    succeeded: bool
    power_state: int = 0
    addresses: tuple[Address, ...] | None = None
    message: str = ''
    details: str | None = None
    retryable: bool = False
    clean: bool = False
    guest_unknown: bool = False


class Operation(abc.ABC):
    """One verb. An object for each job."""

    BEGIN: ClassVar[faultpoints.Step]
    FINISH: ClassVar[faultpoints.Step]
    needs_fence: ClassVar[bool] = True

    def __init__(self, at: Workplace, job: Job) -> None:
        self.at, self.job = at, job
        self.order = job.order
        self.server_id = job.order.server_id

    @abc.abstractmethod
    def perform(self) -> Outcome:
        """Do the work, from where the host shows it to be. Raises for a failure."""

    def run(self) -> FinishReport | None:
        """The whole of it, in the server's runner. The report that was accepted, if one was."""
        try:
            return self._run()
        except Cancelled as error:
            LOG.info('%s of server %s ends here: %s', self.order.kind, self.server_id, error)
            if self.job.verdict is not None:
                self.refused(self.job.verdict)
            return None

    def _run(self) -> FinishReport | None:
        if self.job.known_report is not None:
            return self._say_again(self.job.known_report)
        unfenced = self._raise_fence()
        verdict = self.begin()
        if verdict is not None and not verdict.accepted:
            self._refused(verdict)
            return None
        self.job.begun = True
        outcome = self._do() if unfenced is None else self._failed(unfenced)
        report, verdict = self._finish(outcome)
        if not verdict.accepted:
            self._refused(verdict)
            return None
        self.accepted(outcome)
        return report

    def _say_again(self, report: FinishReport) -> FinishReport | None:
        """The order has come again after its end: the conductor may not have heard of that."""
        verdict = self.at.session.finish(self.job, report)
        self.job.end(report.attempt, whatever_came=True)
        if not verdict.accepted:
            self._refused(verdict)
            return None
        return report

    # Begin

    def _raise_fence(self) -> Exception | None:
        """Raise the fence; why this verb must not go on, if that was not possible."""
        try:
            with self.BEGIN:
                self.admit()
        except OSError as error:
            LOG.error('The fence of server %s cannot be raised for a %s: %s', self.server_id, self.order.kind, error)
            if self.needs_fence:
                return GuestError(
                    f'the state of the host cannot be written ({error.strerror}); its operator should look'
                )
        return None

    def begin(self) -> Verdict | None:
        """Ask, once the fence is raised. None: this verb need not ask."""
        while True:
            attempt = self.job.attempt
            verdict = self.at.session.begin(self.job, attempt)
            self.BEGIN.reported()
            # Refused, but the order has come again with a higher attempt meanwhile: that one may be agreed to.
            if verdict.accepted or self.job.end(attempt):
                return verdict

    def admit(self) -> Mark:
        """Raise the fence to the order, and settle what a superseded snapshot has left."""
        self.job.check()
        carried = discard_superseded_image(self.at.fence, self.at.images, self.order)
        return self.at.fence.admit(self.order, carried | self.notes())

    def notes(self) -> dict[str, str]:
        """What a verb wants in its mark from the first."""
        return {}

    # Do

    def _do(self) -> Outcome:
        """The outcome of `perform`, tried again while the hypervisor is away for a moment."""
        patient_until = time.monotonic() + self.at.settings.hypervisor_patience_s
        waits = backoff(self.at.settings)
        while True:
            self.job.check()
            try:
                return self.perform()
            except HypervisorUnavailable as error:
                self._check_cancelled(error)
                wait_s = next(waits)
                if time.monotonic() + wait_s > patient_until:
                    return self._failed(error)
                LOG.warning('%s of server %s waits: %s', self.order.kind, self.server_id, error)
                self.job.pause(wait_s)
            except Exception as error:  # noqa: BLE001 - it is reported
                self._check_cancelled(error)
                return self._failed(error)

    def _check_cancelled(self, error: Exception) -> None:
        """What fails because the job was cancelled is no failure."""
        try:
            self.job.check()
        except Cancelled as cancelled:
            raise cancelled from error

    def _failed(self, error: Exception) -> Outcome:
        known = isinstance(error, CloudplaneException)
        LOG.log(
            logging.WARNING if known else logging.ERROR,
            '%s of server %s failed: %s',
            self.order.kind,
            self.server_id,
            error,
            exc_info=None if known else error,
        )
        return self.failed(error, self.describe(error))

    def describe(self, error: Exception) -> str:
        """What failed, where, and what to do, in words for the user."""
        what = f'{self.order.kind.replace("_", " ")} failed on host {self.at.host}'.capitalize()
        step = f' in its step {self.job.step}' if self.job.step else ''
        if isinstance(error, CloudplaneException):
            return f'{what}{step}: {error.message}'
        return (
            f'{what}{step}: unexpected {type(error).__name__}. Try again; the log of the host says more under request '
            f'{self.order.request_id}.'
        )

    def failed(self, error: Exception, message: str) -> Outcome:
        """The outcome of a failure; a verb may clean up here. Its own failures must not get out."""
        guest, unknown = self.look()
        return Outcome(
            succeeded=False,
            power_state=guest.power_state if guest else 0,
            message=message,
            details=trace_of(error),
            guest_unknown=unknown or guest is None,
        )

    # Finish

    def _finish(self, outcome: Outcome) -> tuple[FinishReport, Verdict]:
        while True:
            attempt = self.job.attempt
            with self.FINISH:
                report = self.report(outcome, attempt)
            verdict = self.at.session.finish(self.job, report)
            self.FINISH.reported()
            if self.job.end(attempt, whatever_came=verdict.accepted):
                return report, verdict

    def report(self, outcome: Outcome, attempt: int) -> FinishReport:
        """What the conductor is told."""
        return FinishReport(
            operation_id=self.order.operation_id,
            server_id=self.server_id,
            host=self.at.host,
            epoch=self.at.session.epoch,
            attempt=attempt,
            steps=tuple(self.job.steps),
            **msgspec.structs.asdict(outcome),
        )

    def accepted(self, outcome: Outcome) -> None:  # noqa: B027 - most verbs have nothing to add
        """The report was accepted: what is left to do then."""

    def _refused(self, verdict: Verdict) -> None:
        """The conductor wants something else: make it so, and forget the order."""
        LOG.warning(
            '%s of server %s, attempt %s, was refused (%s); wanted: %s',
            self.order.kind,
            self.server_id,
            self.job.attempt,
            verdict.reason,
            verdict.wanted,
        )
        self.refused(verdict)
        if self.job.why != SUPERSEDED:
            self.converge(verdict.wanted, f'{self.order.kind} was refused: {verdict.reason}')

    def refused(self, verdict: Verdict) -> None:  # noqa: B027 - most verbs have nothing to add
        """What a verb has to take back when it is refused."""

    def converge(self, wanted: str, why: str) -> None:
        """Make the guest as wanted, as far as this order may."""
        wish = Wish(server_id=self.server_id, sequence=self.order.sequence, wanted=wanted, why=why)
        if self.job.stuck is not None:
            self.at.converger.postpone(wish)
            return
        event = Progress().cancelled
        with self.job.watch(event):
            self.at.converger.fulfil(wish, event)

    # For the verbs

    def look(self) -> tuple[GuestInfo | None, bool]:
        """What the host shows of the guest, and whether that could not be found out."""
        if self.job.stuck is not None:
            return None, True
        try:
            return self.at.driver.guest(self.server_id), False
        except GuestError as error:
            LOG.warning('The condition of server %s is unknown: %s', self.server_id, error)
            return None, True

    def guest(self) -> GuestInfo:
        """What the host shows of the guest; raises GuestNotFound."""
        found = self.at.driver.guest(self.server_id)
        if found is None:
            raise GuestNotFound(
                'the guest is not on this host, though it should be; look for its disk there, or delete the server'
            )
        return found

    def bounded(self, what: str, call: Callable[[Progress], T], limit_s: float | None = None) -> T:
        """A driver's call that must come back within `limit_s` (none: that of a start)."""
        settings = self.at.settings
        limit = Limit(total_s=limit_s or settings.start_step_s, grace_s=settings.step_grace_s)
        return run_bounded(self.job, what, limit, call)

    def transfer(self, what: str, call: Callable[[Progress], T]) -> T:
        """A call that may take as long as it likes while it advances."""
        settings = self.at.settings
        limit = Limit(stall_s=settings.transfer_stall_s, grace_s=settings.step_grace_s)
        return run_bounded(self.job, what, limit, call)


def trace_of(error: Exception) -> str:
    """The traceback of an error, for admins."""
    return ''.join(traceback.format_exception(error))
