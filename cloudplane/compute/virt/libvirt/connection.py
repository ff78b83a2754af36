"""The connection to libvirt: kept alive, made anew when libvirtd was restarted, and used from native threads alone.

Every call goes through `Connection.call`. It translates libvirt's errors and leaves their meaning to the callers.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import libvirt

from cloudplane.compute.virt.libvirt import events
from cloudplane.concurrency import BlockingPool, held
from cloudplane.exceptions import GuestError, GuestInvalid, GuestNotFound, HypervisorUnavailable

LOG = logging.getLogger(__name__)

T = TypeVar('T')

# libvirtd reads at most 5 requests of one client at a time; with a sixth in flight it does not even see keepalives.
_CALLS_AT_ONCE = 4
_RETRY_S = 0.1
_GONE = (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN)
_INVALID = (libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_XML_DETAIL)


class _Lost(Exception):
    """There is no connection; the text says why."""


class Connection:
    """One libvirtd. `on_open` is called in a native thread with each new connection, before anybody else uses it."""

    def __init__(
        self,
        uri: str,
        pool: BlockingPool,
        *,
        timeout_s: float,
        keepalive: tuple[int, int] = (5, 5),
        on_open: Callable[[Any], None] = lambda _connection: None,
        on_close: Callable[[Any], None] = lambda _connection: None,
    ) -> None:
        self._uri, self._pool, self._timeout_s, self._keepalive = uri, pool, timeout_s, keepalive
        self._on_open, self._on_close = on_open, on_close
        events.prepare()
        self._current: Any = None
        self._opening = threading.Lock()
        self._slots = threading.BoundedSemaphore(_CALLS_AT_ONCE)
        self._ended = threading.Event()
        self._lost_because: str | None = 'libvirt has not been asked yet'

    @property
    def lost_because(self) -> str | None:
        """Why there is no connection now; None if there is one. Asks nobody."""
        return self._lost_because

    def call(self, what: str, function: Callable[[Any], T], *, timeout_s: float | None = None) -> T:
        """What `function(connection)` returns, called in a native thread; `what` is the work, for messages.

        `function` looks before it acts: it is called again from its beginning when libvirtd went away under it. After
        `timeout_s` without a libvirtd HypervisorUnavailable is raised.
        """
        deadline_s = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        while True:
            current = None
            try:
                current = self._connected(deadline_s)
                with self._slots:
                    return self._pool.run(_attempt, current, function)
            except libvirt.libvirtError as error:
                raise translated(error, what) from error
            except _Lost as error:
                self._forget(current, str(error))
                if time.monotonic() >= deadline_s or self._ended.wait(_RETRY_S):
                    raise HypervisorUnavailable(
                        f'Could not {what}: libvirt at {self._uri} does not answer: {error}. '
                        'Is libvirtd running on this host?'
                    ) from error

    def revive(self) -> None:
        """Connect again if the connection was lost, however long that takes; return early only after `close`."""
        while not self._ended.is_set():
            try:
                self.call('reconnect', lambda connection: connection.getLibVersion())
                return
            except HypervisorUnavailable as error:
                LOG.warning('%s', error)

    def close(self) -> None:
        """Disconnect; calls after this fail."""
        self._ended.set()
        self._forget(self._current, 'the driver has been stopped')

    def _connected(self, deadline_s: float) -> Any:
        current = self._current
        if current is not None:
            return current
        try:
            with held(self._opening, max(deadline_s - time.monotonic(), 0.01), 'the connection to libvirt'):
                if self._ended.is_set():
                    raise _Lost('the driver has been stopped')
                if self._current is None:
                    self._current = self._pool.run(self._open)
                    self._lost_because = None
                    LOG.info('Connected to libvirt at %s', self._uri)
                return self._current
        except TimeoutError as error:
            raise _Lost(str(error)) from error

    def _open(self) -> Any:
        """In a native thread."""
        try:
            connection = libvirt.open(self._uri)
            connection.setKeepAlive(*self._keepalive)
            self._on_open(connection)
        except libvirt.libvirtError as error:
            raise _Lost(error.get_error_message() or str(error)) from error
        return connection

    def _forget(self, connection: Any, reason: str) -> None:
        """Give up a connection, unless somebody else has made a new one meanwhile."""
        with self._opening:
            if connection is not self._current:
                return
            self._current, self._lost_because = None, reason
        if connection is not None:
            if not self._ended.is_set():
                LOG.warning('The connection to libvirt at %s was lost: %s', self._uri, reason)
            # Not closed here: another thread may be in the middle of a call, and closing would free what it uses.
            # The bindings close it when the last of them lets go.
            self._pool.run(self._on_close, connection)


def _attempt(connection: Any, function: Callable[[Any], T]) -> T:
    """In a native thread: tell a lost connection from an error of the work itself."""
    try:
        return function(connection)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _GONE and _is_alive(connection):
            raise
        raise _Lost(error.get_error_message() or str(error)) from error


def _is_alive(connection: Any) -> bool:
    try:
        return bool(connection.isAlive() == 1)
    except libvirt.libvirtError:
        return False


def translated(error: libvirt.libvirtError, what: str) -> GuestError:
    """The exception of ours that says what an error of libvirt's means for the work."""
    code, text = error.get_error_code(), error.get_error_message() or str(error)
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return GuestNotFound(f'Could not {what}: libvirt does not know the guest.')
    if code in _INVALID:
        return GuestInvalid(f'Could not {what}: libvirt does not accept the definition: {text}')
    if 'virtlogd' in text:
        text += '. Start virtlogd: it keeps the consoles of guests'
    return GuestError(f'Could not {what}: {text}')
