"""What libvirt tells of its own accord: an event loop in a native thread, and those in this process who wait for news.

libvirt calls back in the loop's native thread; there an event is only put into an Inbox. Everything else happens in an
ordinary thread. Nobody may rely on events alone: while libvirtd is restarted, some are lost.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import libvirt
import msgspec

from cloudplane.concurrency import Inbox, start_native_thread

LOG = logging.getLogger(__name__)

# Kinds of event.
POWER: Final = 'power'  # started, stopped, paused, resumed …
REBOOTED: Final = 'rebooted'  # the guest's machine was reset
JOB_ENDED: Final = 'job_ended'
CONNECTED: Final = 'connected'
SETTLED: Final = 'settled'  # some time after CONNECTED
LOST: Final = 'lost'

_POWER_EVENTS = frozenset(
    {
        libvirt.VIR_DOMAIN_EVENT_STARTED,
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_RESUMED,
        libvirt.VIR_DOMAIN_EVENT_STOPPED,
        libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED,
        libvirt.VIR_DOMAIN_EVENT_CRASHED,
    }
)


class Event(msgspec.Struct, frozen=True):
    """One piece of news; `domain_uuid` is empty where it is about the connection."""

    kind: str
    domain_uuid: str = ''


class _Loop:
    """The event loop of the process: libvirt has one, and it cannot be ended."""

    running = False


def prepare() -> None:
    """Start the event loop of the process, if it does not run yet; before any `libvirt.open`."""
    if _Loop.running:
        return
    _Loop.running = True
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # else each error is printed as well
    libvirt.virEventRegisterDefaultImpl()
    start_native_thread(_run_loop, 'libvirt-events')


def _run_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


class Watch:
    """What has happened to one domain since somebody began to watch it."""

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._kinds: set[str] = set()

    def saw(self, kind: str) -> bool:
        """Whether such an event has come."""
        return kind in self._kinds

    def wait(self, timeout_s: float) -> bool:
        """Wait for the next event of any kind; False when none came in time."""
        changed = self._changed.wait(timeout_s)
        self._changed.clear()
        return changed

    def tell(self, kind: str) -> None:
        """An event has come."""
        self._kinds.add(kind)
        self._changed.set()


class Events:
    """Hands the events of one connection after the other to those who watch a domain, and to one listener."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._inbox: Inbox[Event | None] = Inbox()
        self._for_listener: queue.Queue[Event | None] = queue.Queue()
        self._watches: list[tuple[str, Watch]] = []
        self._watching = threading.Lock()
        self._registered: dict[int, list[int]] = {}  # by id of the connection

    def start(self) -> None:
        """Begin to hand out events, in threads of our own: a slow listener must not delay those who wait."""
        threading.Thread(target=self._dispatch, name='libvirt-dispatch', daemon=True).start()
        threading.Thread(target=self._listen, name='libvirt-listen', daemon=True).start()

    def stop(self) -> None:
        """End those threads."""
        self._inbox.put(None)

    def register(self, connection: Any) -> None:
        """Receive the events of a new connection. In a native thread."""
        connection.registerCloseCallback(self._closed, None)
        self._registered[id(connection)] = [
            connection.domainEventRegisterAny(None, number, callback, None)
            for number, callback in (
                (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle),
                (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._rebooted),
                (libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._job_completed),
            )
        ]
        self._inbox.put(Event(CONNECTED))

    def unregister(self, connection: Any) -> None:
        """Forget a connection; else it and its callbacks would never be freed. In a native thread."""
        with contextlib.suppress(libvirt.libvirtError):
            connection.unregisterCloseCallback()
        for callback_id in self._registered.pop(id(connection), []):
            with contextlib.suppress(libvirt.libvirtError):  # a dead connection: freed on this side all the same
                connection.domainEventDeregisterAny(callback_id)

    def tell_later(self, event: Event, delay_s: float) -> None:
        """Hand out an event of our own."""
        timer = threading.Timer(delay_s, self._inbox.put, (event,))
        timer.daemon = True
        timer.start()

    @contextlib.contextmanager
    def watch(self, domain_uuid: str) -> Iterator[Watch]:
        """See what happens to a domain from now on."""
        entry = (domain_uuid, Watch())
        with self._watching:
            self._watches.append(entry)
        try:
            yield entry[1]
        finally:
            with self._watching:
                self._watches.remove(entry)

    def _dispatch(self) -> None:
        while (event := self._inbox.get()) is not None:
            with self._watching:
                watches = [watch for domain_uuid, watch in self._watches if domain_uuid == event.domain_uuid]
            for watch in watches:
                watch.tell(event.kind)
            self._for_listener.put(event)
        self._for_listener.put(None)

    def _listen(self) -> None:
        while (event := self._for_listener.get()) is not None:
            try:
                self._on_event(event)
            except Exception:  # one failure must not silence the events that follow
                LOG.exception('The event %s was not handled', event)

    # Called by libvirt in the native thread of the event loop.

    def _lifecycle(self, _connection: Any, domain: Any, number: int, _detail: int, _opaque: None) -> None:
        if number in _POWER_EVENTS:
            self._inbox.put(Event(POWER, domain.UUIDString()))

    def _rebooted(self, _connection: Any, domain: Any, _opaque: None) -> None:
        self._inbox.put(Event(REBOOTED, domain.UUIDString()))

    def _job_completed(self, _connection: Any, domain: Any, _statistics: Any, _opaque: None) -> None:
        self._inbox.put(Event(JOB_ENDED, domain.UUIDString()))

    def _closed(self, _connection: Any, _reason: int, _opaque: None) -> None:
        self._inbox.put(Event(LOST))
