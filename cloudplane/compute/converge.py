"""Making a guest what the conductor wants it to be: absent, off, on, or left alone.

Asked for by refusals, residues, the answer to a registration and to power reports. A guest that is newer than what was
wanted is not touched, and neither is one for which a newer order has come. What fails is tried again with the next
heartbeats. That a server is gone from here is told to the conductor, so that its allocation may go.
"""

import logging
import threading

import msgspec

from cloudplane import states
from cloudplane.compute.fence import Fence
from cloudplane.compute.session import Session
from cloudplane.compute.settings import AgentSettings
from cloudplane.compute.virt.driver import Driver, GuestInfo, Progress
from cloudplane.exceptions import CloudplaneException, StaleEpoch

LOG = logging.getLogger(__name__)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What one guest should be. `sequence`: the newest order that the wish knows of."""

    server_id: str
    sequence: int
    wanted: str
    why: str
    # What the agent hears when it registers: a guest that is off may have been so for hours, see
    # resume_guests_at_start.
    at_start: bool = False


def is_as_wanted(guest: GuestInfo | None, wanted: str) -> bool:
    """Whether nothing is to be done."""
    if wanted == states.WANT_LEAVE:
        return True
    if guest is None:
        return False
    if wanted == states.WANT_ON:
        return guest.power_state == states.RUNNING and guest.committed
    return wanted == states.WANT_OFF and guest.power_state == states.SHUTDOWN


class Converger:
    """Fulfils wishes. Called in the server's own runner, so that no operation works on the same guest."""

    def __init__(self, driver: Driver, fence: Fence, session: Session, settings: AgentSettings) -> None:
        self._driver, self._fence, self._session, self._settings = driver, fence, session, settings
        self._lock = threading.Lock()
        self._unfulfilled: dict[str, Wish] = {}
        self._cleaned: dict[str, int] = {}  # server id -> sequence; not told yet

    def fulfil(self, wish: Wish, cancelled: threading.Event) -> None:
        """Make the guest so. A failure is logged and kept for another time."""
        with self._lock:
            self._unfulfilled.pop(wish.server_id, None)
        try:
            self._make(wish, Progress(cancelled=cancelled))
        except Exception as error:
            unknown = None if isinstance(error, CloudplaneException) else error  # a full disk, for example
            LOG.error(
                'Server %s is wanted %s (%s), and that failed: %s',
                wish.server_id,
                wish.wanted,
                wish.why,
                error,
                exc_info=unknown,
            )
            with self._lock:
                self._unfulfilled.setdefault(wish.server_id, wish)

    def unfulfilled(self) -> list[Wish]:
        """What failed and is still to be done."""
        with self._lock:
            return list(self._unfulfilled.values())

    def postpone(self, wish: Wish) -> None:
        """Keep a wish for the next heartbeat."""
        with self._lock:
            self._unfulfilled[wish.server_id] = wish

    def _make(self, wish: Wish, progress: Progress) -> None:
        if wish.wanted == states.WANT_LEAVE or self._fence.is_newer_than(wish.sequence, wish.server_id):
            return
        guest = self._driver.guest(wish.server_id)
        if is_as_wanted(guest, wish.wanted):
            return
        if guest is not None and guest.sequence > wish.sequence:
            LOG.warning('Server %s is wanted %s (%s), but its guest is newer', wish.server_id, wish.wanted, wish.why)
            return
        if wish.wanted == states.WANT_ABSENT:
            self._remove(wish)
        elif guest is None:
            LOG.error('Server %s is wanted %s (%s), but has no guest here', wish.server_id, wish.wanted, wish.why)
        elif wish.wanted == states.WANT_OFF:
            self._switch_off(wish, guest, progress)
        elif wish.wanted == states.WANT_ON:
            self._switch_on(wish, guest)

    def _remove(self, wish: Wish) -> None:
        LOG.info('Removing what is left of server %s: %s', wish.server_id, wish.why)
        self._driver.destroy(wish.server_id)
        self._fence.forget(wish.server_id, wish.sequence)
        with self._lock:
            self._cleaned[wish.server_id] = wish.sequence
        self.tell_cleaned()

    def _switch_off(self, wish: Wish, guest: GuestInfo, progress: Progress) -> None:
        LOG.info('Switching server %s off: %s', wish.server_id, wish.why)
        graceful_s = self._settings.graceful_stop_s if guest.power_state == states.RUNNING else 0
        self._driver.power_off(wish.server_id, graceful_s, progress)

    def _switch_on(self, wish: Wish, guest: GuestInfo) -> None:
        if guest.power_state in (states.RUNNING, states.POWER_PAUSED):
            LOG.info('Letting server %s run: %s', wish.server_id, wish.why)
            self._driver.resume(wish.server_id)
        elif not guest.committed or not wish.at_start or self._settings.resume_guests_at_start:
            LOG.info('Switching server %s on: %s', wish.server_id, wish.why)
            self._driver.power_on(wish.server_id)

    def tell_cleaned(self) -> None:
        """Tell the conductor of servers that are gone from here; what it does not hear is told again later."""
        with self._lock:
            told = {
                server_id: sequence
                for server_id, sequence in self._cleaned.items()
                if not self._fence.is_newer_than(sequence, server_id)
            }
            self._cleaned = {}
        if not told:
            return
        epoch = self._session.epoch
        try:
            self._session.cleaned(tuple(told))
        except Exception as error:  # noqa: BLE001 - whatever it was, the conductor has not heard it
            LOG.warning('The conductor has not heard yet that %d servers are gone from here: %s', len(told), error)
            with self._lock:
                self._cleaned = told | self._cleaned
            if isinstance(error, StaleEpoch):
                self._session.expired(epoch)
