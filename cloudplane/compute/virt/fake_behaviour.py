"""How the fake hypervisor is made slow, or made to fail."""

import collections
import threading
import time

from cloudplane.compute.virt.driver import Progress
from cloudplane.exceptions import Cancelled, GuestError

ALWAYS = -1
_TRICKLE_S = 0.02


class FakeBehaviour:
    """What may be changed while the driver runs. Methods are named as in the contract."""

    def __init__(self, *, delays: dict[str, float], failures: dict[str, int]) -> None:
        self._lock = threading.Lock()
        self.delays = dict(delays)  # seconds, by method
        self.failures = dict(failures)  # how often, by method; ALWAYS
        self.failure: type[GuestError] = GuestError  # what a failing method raises
        self.trickles: set[str] = set()  # transfers whose delay is spent advancing; others stall
        self.deaf: set[str] = set()  # methods whose delay does not end when they are cancelled
        self.calls: collections.deque[tuple[str, str]] = collections.deque(maxlen=10000)  # (method, server id)

    def act(self, method: str, server_id: str, progress: Progress | None = None) -> None:
        """Take the time that the method is to take, then fail if it is to."""
        self.calls.append((method, server_id))
        delay_s = self.delays.get(method, 0.0)
        if delay_s > 0:
            self._wait(method, delay_s, progress)
        with self._lock:
            times = self.failures.get(method, 0)
            if times > 0:
                self.failures[method] = times - 1
        if times > 0 or times == ALWAYS:
            raise self.failure(f'the fake hypervisor was told to fail in {method}')

    def _wait(self, method: str, delay_s: float, progress: Progress | None) -> None:
        if progress is None or method in self.deaf:
            time.sleep(delay_s)
            return
        until, done = time.monotonic() + delay_s, 0
        while (left_s := until - time.monotonic()) > 0:
            if progress.cancelled.wait(min(left_s, _TRICKLE_S)):
                raise Cancelled
            if method in self.trickles:
                done += 1
                progress.advance(done)
