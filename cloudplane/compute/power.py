"""Power states: what the guests do by themselves, told to the conductor.

The driver's events say which guest has changed; those that come together make one report, and what the conductor knows
already makes none. A guest that is being worked on is looked at when that is over, and one that is not committed yet
has no power state that anybody is told of. Now and then all are compared, for events may be lost.
"""

import logging
import queue
import threading
import time

from cloudplane import states
from cloudplane.compute.converge import Wish
from cloudplane.compute.runner import Runners
from cloudplane.compute.workplace import Workplace
from cloudplane.concurrency import Inbox
from cloudplane.exceptions import GuestError, ServiceBusy, ServiceUnavailable, StaleEpoch
from cloudplane.objects.operation import PowerReport, WantedGuest

LOG = logging.getLogger(__name__)

# What is put into the inbox beside server ids.
_STOP = ''
_SYNC = '*'
_NEVER_S = 3600.0


class PowerReporter:
    """Reports the power states of one host."""

    def __init__(self, at: Workplace, runners: Runners) -> None:
        self._at, self._runners = at, runners
        self._inbox: Inbox[str] = Inbox()
        self._told: dict[str, int] = {}
        self._sync_at = time.monotonic() + at.settings.power_sync_s
        self.syncs = 0  # how often all guests were compared

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self.run, name='power-states', daemon=True).start()

    def stop(self) -> None:
        """Report no more."""
        self._inbox.put(_STOP)

    def changed(self, server_id: str) -> None:
        """A guest has changed; called by the driver, from any thread."""
        self._inbox.put(server_id)

    def sync(self) -> None:
        """Compare all guests now: events may have been missed."""
        self._inbox.put(_SYNC)

    def told(self, server_id: str, power_state: int) -> None:
        """The conductor knows this of a guest, from the report of an operation."""
        self._told[server_id] = power_state

    def run(self) -> None:
        """Report what changes, until stopped."""
        pending: set[str] = set()
        while True:
            arrived = self._arrivals(self._at.settings.power_retry_s if pending else _NEVER_S)
            if _STOP in arrived:
                return
            if _SYNC in arrived:
                self._sync_at = time.monotonic()
            pending |= arrived - {_SYNC}
            self._look(pending)

    def _look(self, pending: set[str]) -> None:
        """Report what is pending; what has to be looked at again stays so."""
        is_sync = time.monotonic() >= self._sync_at
        try:
            if is_sync:
                pending |= self._all()
            again = self.report(pending)
            pending.clear()
            pending |= again
        except Exception:
            LOG.exception('Power states could not be reported')
        self.syncs += is_sync

    def _arrivals(self, wait_s: float) -> set[str]:
        """The guests that have changed, once something has and a moment has passed; or none after `wait_s`."""
        arrived: set[str] = set()
        until = min(time.monotonic() + wait_s, self._sync_at)
        try:
            arrived.add(self._inbox.get(max(0.0, until - time.monotonic())))
            until = time.monotonic() + self._at.settings.power_settle_s
            while _STOP not in arrived:
                arrived.add(self._inbox.get(max(0.0, until - time.monotonic())))
        except queue.Empty:
            pass
        return arrived

    def _all(self) -> set[str]:
        """All guests, as if nothing had been told of them."""
        self._sync_at = time.monotonic() + self._at.settings.power_sync_s
        self._told.clear()
        self._at.fence.prune()
        try:
            return {guest.server_id for guest in self._at.driver.guests()}
        except GuestError as error:
            LOG.warning('The guests could not be compared: %s', error)
            return set()

    def report(self, server_ids: set[str]) -> set[str]:
        """Tell what is new of these guests; returns those that have to be looked at again."""
        again = {server_id for server_id in server_ids if self._runners.holds(server_id)}
        reports = []
        for server_id in sorted(server_ids - again):
            sequence = self._sequence(server_id)
            try:
                guest = self._at.driver.guest(server_id)
            except GuestError:
                again.add(server_id)
                continue
            if guest is not None and guest.committed and guest.power_state != self._told.get(server_id):
                reports.append(PowerReport(server_id=server_id, power_state=guest.power_state, sequence=sequence))
        return again | self._tell(tuple(reports)) if reports else again

    def _sequence(self, server_id: str) -> int:
        """The newest operation of a server that the agent knows of. Asked before the guest is looked at."""
        mark = self._at.fence.mark(server_id)
        return max(mark.sequence if mark is not None else 0, self._at.session.sequences.get(server_id, 0))

    def _tell(self, reports: tuple[PowerReport, ...]) -> set[str]:
        """Tell the conductor, and make the guests what it wants instead; returns those that it has not taken."""
        session, all_of_them = self._at.session, {report.server_id for report in reports}
        epoch = session.epoch
        if epoch < 0:
            return all_of_them
        try:
            wanted = session.power_states(reports)
        except StaleEpoch:
            session.expired(epoch)
            return all_of_them
        except (ServiceUnavailable, ServiceBusy) as error:
            LOG.warning('Power states are told again later: %s', error)
            return all_of_them
        not_taken = {guest.server_id for guest in wanted if guest.wanted == states.WANT_LEAVE}
        self._told |= {report.server_id: report.power_state for report in reports if report.server_id not in not_taken}
        for guest in wanted:
            session.learn(guest)
            if guest.server_id not in not_taken:
                self._runners.wish(_wish_of(guest))
        return not_taken


def _wish_of(guest: WantedGuest) -> Wish:
    return Wish(
        server_id=guest.server_id,
        sequence=guest.sequence,
        wanted=guest.wanted,
        why=f'its power state does not fit its server, which is {guest.vm_state}',
    )
