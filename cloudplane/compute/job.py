"""A job: one work order in the agent's hands, how far it is, and how it learns that it should end.

A job ends between two steps, never within one, unless the step itself listens (`watch`). Who ends it says why:
because a newer order supersedes it, because the conductor refused it, or because the agent stops and leaves it for its
next start.
"""

import contextlib
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Literal

from cloudplane import faultpoints
from cloudplane.compute.fence import Key
from cloudplane.compute.virt.driver import Token
from cloudplane.exceptions import Cancelled
from cloudplane.objects.operation import FinishReport, HeldOperation, StepRecord, Verdict, WorkOrder

Why = Literal['superseded', 'refused', 'stopping']
SUPERSEDED: Why = 'superseded'
REFUSED: Why = 'refused'
STOPPING: Why = 'stopping'


def utc_now() -> str:
    """The time of a step, as records carry it."""
    return datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%S.%f')


class Ending:
    """How somebody is told to end: `leave` at the next step, `cancel` within this one if it listens."""

    def __init__(self) -> None:
        self.why: Why | None = None
        self._cancelled = threading.Event()
        self._leaving = False
        self._wake = threading.Event()
        self._watchers: set[threading.Event] = set()

    def cancel(self, why: Why) -> None:
        """End as soon as possible. The first reason is kept, but for a newer order, which outranks the others."""
        if self.why is None or why == SUPERSEDED:
            self.why = why
        self._cancelled.set()
        self._wake.set()
        for event in list(self._watchers):
            event.set()

    def leave(self) -> None:
        """End after the present step, because the agent stops."""
        self.why = self.why or STOPPING
        self._leaving = True
        self._wake.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it should end within a step."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise Cancelled if it should end here."""
        if self._leaving or self._cancelled.is_set():
            raise Cancelled(f'The work was left: {self.why}.')

    def pause(self, seconds: float) -> None:
        """Wait between two tries; raises Cancelled as soon as it should end."""
        self._wake.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def watch(self, event: threading.Event) -> Iterator[None]:
        """Set `event` if it is cancelled meanwhile."""
        self._watchers.add(event)
        if self.is_cancelled:
            event.set()
        try:
            yield
        finally:
            self._watchers.discard(event)


class Job(Ending):
    """One work order while it is worked on."""

    def __init__(self, order: WorkOrder, known_report: FinishReport | None = None) -> None:
        super().__init__()
        self.order = order
        self.known_report = known_report  # it has ended before: only say so again
        self.begun = False  # the conductor has agreed
        self.verdict: Verdict | None = None  # what a heartbeat's refusal said
        self.step = ''
        self.steps: list[StepRecord] = []
        # A call into the driver that did not come back in its time: the server is left alone until it does.
        self.stuck: Future[Any] | None = None
        self._attempt = order.attempt
        self._ended = False
        self._lock = threading.Lock()

    @property
    def attempt(self) -> int:
        """The fencing token: rises when the order comes again with a higher one."""
        return self._attempt

    @property
    def ended(self) -> bool:
        """Whether the conductor knows its end, or nobody wants to."""
        return self._ended

    @property
    def key(self) -> Key:
        """What orders are compared by."""
        return self.order.sequence, self._attempt

    @property
    def token(self) -> Token:
        """Which work this is, for the driver."""
        order = self.order
        return Token(operation_id=order.operation_id, sequence=order.sequence, attempt=self._attempt)

    def raise_attempt(self, attempt: int) -> bool:
        """The same order has come with this attempt. False: too late, the job ends without it."""
        with self._lock:
            if self._ended or self.why is not None:
                return False
            self._attempt = max(self._attempt, attempt)
            return True

    def end(self, attempt: int, *, whatever_came: bool = False) -> bool:
        """Mark it as ended with this attempt, unless a higher one has come meanwhile (or whatever came)."""
        with self._lock:
            if self._attempt > attempt and not whatever_came:
                return False
            self._ended = True
            return True

    def held(self) -> HeldOperation:
        """The job, as heartbeats say it."""
        order = self.order
        return HeldOperation(
            operation_id=order.operation_id,
            server_id=order.server_id,
            attempt=self._attempt,
            running=self.begun,
            step=self.step,
        )

    @contextlib.contextmanager
    def recorded(self, point: faultpoints.Step) -> Iterator[None]:
        """One step: its fault points, and its record for the report. Raises Cancelled instead of beginning it."""
        self.check()
        self.step, started_at = point.name.rpartition('.')[2], utc_now()
        try:
            with point:
                yield
        except Exception:
            self._record(started_at, result='Error', details=traceback.format_exc())
            raise
        self._record(started_at)

    def _record(self, started_at: str, result: str = 'Success', details: str | None = None) -> None:
        self.steps.append(
            StepRecord(name=self.step, started_at=started_at, finished_at=utc_now(), result=result, details=details)
        )
