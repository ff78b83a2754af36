"""The waiting half of a call: one caller, one answer, woken at once."""

import threading
import time

from oslo_messaging import MessagingTimeout


class PendingCall:
    """A call whose caller waits. The first answer counts; later ones (of repeated messages) are ignored.

    The wait is one lock, which both concurrency backends hand over without polling. A heartbeat wakes nobody: the
    caller looks at its time when its own patience ends.
    """

    __slots__ = ('_answered', '_first', '_last_sign_s', '_reason', '_wire')

    def __init__(self) -> None:
        self._answered = threading.Lock()
        self._answered.acquire()
        self._first = threading.Lock()
        self._last_sign_s = time.monotonic()
        self._wire: str | None = None
        self._reason = ''

    def answer(self, wire: str) -> None:
        """Give the caller its reply."""
        if self._first.acquire(blocking=False):
            self._wire = wire
            self._answered.release()

    def abandon(self, reason: str) -> None:
        """Wake the caller: no answer will come."""
        if self._first.acquire(blocking=False):
            self._reason = reason
            self._answered.release()

    def heartbeat(self) -> None:
        """The server still works on it."""
        self._last_sign_s = time.monotonic()

    def wait(self, timeout_s: float | None, monitor_s: float | None) -> str:
        """The reply; raises MessagingTimeout when none comes in time, or no heartbeat within `monitor_s`."""
        if not self._arrives(timeout_s, monitor_s):
            raise MessagingTimeout('no reply came in time')
        if self._wire is None:
            raise MessagingTimeout(self._reason)
        return self._wire

    def _arrives(self, timeout_s: float | None, monitor_s: float | None) -> bool:
        if not monitor_s:
            return self._answered.acquire(timeout=-1 if timeout_s is None else max(timeout_s, 0))
        end_s = float('inf') if timeout_s is None else time.monotonic() + timeout_s
        while (left_s := min(end_s, self._last_sign_s + monitor_s) - time.monotonic()) > 0:
            if self._answered.acquire(timeout=left_s):
                return True
        return self._answered.acquire(blocking=False)
