"""The agent's word with the conductor: its epoch, and calls that are repeated until they are answered.

Registering itself is the reporter's work; whoever is told that the epoch is over asks for it here, and waits.
"""

import itertools
import logging
import random
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from cloudplane.compute.job import Ending, Job
from cloudplane.compute.settings import AgentSettings
from cloudplane.context import RequestContext, service_context
from cloudplane.exceptions import ServiceBusy, ServiceUnavailable, StaleEpoch
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import (
    BeginRequest,
    FinishReport,
    Heartbeat,
    HeartbeatAnswer,
    PowerReport,
    RegisterAnswer,
    Verdict,
    WantedGuest,
)
from cloudplane.rpcapi.conductor import ConductorAPI

LOG = logging.getLogger(__name__)

T = TypeVar('T')


class Session:
    """One agent's dealings with the conductor."""

    def __init__(
        self, conductor: ConductorAPI, host: str, settings: AgentSettings, *, heartbeats: ConductorAPI | None = None
    ) -> None:
        self.host = host
        self._conductor, self._settings = conductor, settings
        self._heartbeats = heartbeats or conductor  # with a shorter time to answer
        self._epoch: int | None = None
        self._changed = threading.Condition()
        self.register_wanted = threading.Event()
        # The newest operation of each server, as far as the conductor has told; some may never have come here.
        self.sequences: dict[str, int] = {}

    @property
    def epoch(self) -> int:
        """The epoch under which the agent is registered; -1 before that."""
        return -1 if self._epoch is None else self._epoch

    # For jobs

    def begin(self, job: Job, attempt: int) -> Verdict:
        """May this host be touched for the job? Repeated until answered; raises Cancelled."""

        def call(epoch: int) -> Verdict:
            order = job.order
            request = BeginRequest(
                operation_id=order.operation_id,
                server_id=order.server_id,
                host=self.host,
                epoch=epoch,
                attempt=attempt,
            )
            return self._conductor.begin(_context(job), request)

        return self._until_answered(job, f'begin of {_what(job)}', call)

    def finish(self, job: Job, report: FinishReport) -> Verdict:
        """How the job ended. Repeated until answered; raises Cancelled."""

        def call(epoch: int) -> Verdict:
            return self._conductor.finish(_context(job), report.evolve(epoch=epoch))

        return self._until_answered(job, f'finish of {_what(job)}', call)

    def _until_answered(self, ending: Ending, what: str, call: Callable[[int], T]) -> T:
        waits = backoff(self._settings)
        while True:
            epoch = self.epoch
            try:
                return call(epoch)
            except StaleEpoch:
                LOG.warning('The %s was refused, because epoch %s is over. Registering again', what, epoch)
                self._renewed(epoch, ending)
            except (ServiceUnavailable, ServiceBusy) as error:
                LOG.warning('The %s has no answer yet and is repeated: %s', what, error)
                ending.pause(next(waits))
            except Exception:
                # Nothing else is an answer. What ends this is a newer order, or the refusal of a heartbeat.
                LOG.exception('The %s failed in the conductor and is repeated', what)
                ending.pause(next(waits))

    def _renewed(self, stale: int, ending: Ending) -> None:
        """Wait until the agent has registered again."""
        self.expired(stale)
        while self.epoch == stale:
            ending.check()
            with self._changed:
                if self.epoch == stale:
                    self._changed.wait(self._settings.retry_first_s)

    # For the reporter and what it drives: one try each

    def expired(self, epoch: int) -> None:
        """The conductor says that this epoch is over: ask for a new registration."""
        with self._changed:
            if self._epoch == epoch:
                self.register_wanted.set()

    def register(self, inventory: HostInventory) -> RegisterAnswer:
        """This agent is here, and its host has that. Whoever waits for a new epoch goes on."""
        answer = self._conductor.register(service_context(), inventory)
        self.sequences = {guest.server_id: guest.sequence for guest in answer.guests}
        with self._changed:
            self._epoch = answer.epoch
            self._changed.notify_all()
        return answer

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Alive."""
        return self._heartbeats.heartbeat(service_context(), beat)

    def cleaned(self, server_ids: tuple[str, ...]) -> None:
        """Nothing of these servers is left here."""
        self._conductor.cleaned(service_context(), self.host, self.epoch, server_ids)

    def learn(self, guest: WantedGuest) -> None:
        """A server has had an operation that may have ended without coming here: looks from now on are after it."""
        if guest.sequence > self.sequences.get(guest.server_id, 0):
            self.sequences[guest.server_id] = guest.sequence

    def power_states(self, reports: tuple[PowerReport, ...]) -> tuple[WantedGuest, ...]:
        """What the guests do; answers what they should do instead."""
        return self._conductor.power_states(service_context(), self.host, self.epoch, reports)


def backoff(settings: AgentSettings) -> Iterator[float]:
    """The waits between tries: doubling up to the longest, each shortened by chance so that agents spread."""
    for power in itertools.count():
        wait_s = min(settings.retry_most_s, settings.retry_first_s * 2 ** min(power, 30))
        yield wait_s * random.uniform(0.75, 1.0)


def _context(job: Job) -> RequestContext:
    return service_context(job.order.request_id)


def _what(job: Job) -> str:
    order = job.order
    return f'{order.kind} {order.operation_id} of server {order.server_id}'
