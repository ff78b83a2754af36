"""Calls that must not last for ever: into a driver or an image store, with a limit in time or in progress.

The call runs in a thread of its own. When its time is over it is asked to end; if it does not even do that, it is left
behind and the job remembers it as stuck: nobody may touch that guest until the call has come back.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from cloudplane.compute.job import Job
from cloudplane.compute.virt.driver import Progress
from cloudplane.exceptions import Cancelled, StepTimeout
from cloudplane.images.store import Progress as StoreProgress

T = TypeVar('T')


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call may last: in all, or without progress."""

    total_s: float | None = None
    stall_s: float | None = None
    grace_s: float = 5.0  # to end by itself when its time is over


class _Meter:
    """When a call last moved."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._most = -1
        self._moved_at = self._began_at = time.monotonic()

    def advance(self, done: int) -> None:
        if done > self._most:
            self._most, self._moved_at = done, time.monotonic()

    def left_s(self) -> float:
        """Until the call is over its time; not positive: it is."""
        ends = [threading.TIMEOUT_MAX]
        if self._limit.total_s is not None:
            ends.append(self._began_at + self._limit.total_s - time.monotonic())
        if self._limit.stall_s is not None:
            ends.append(self._moved_at + self._limit.stall_s - time.monotonic())
        return min(ends)


def run_bounded(job: Job, what: str, limit: Limit, call: Callable[[Progress], T]) -> T:
    """What `call` returns or raises; StepTimeout, which says `what`, when it is over its time; Cancelled."""
    meter = _Meter(limit)
    progress = Progress(meter.advance, threading.Event())
    future: Future[T] = Future()
    with job.watch(progress.cancelled):
        threading.Thread(target=_run, args=(future, call, progress), name=f'step {what}', daemon=True).start()
        while not _comes(future, meter.left_s()):
            if meter.left_s() <= 0:
                return _end(job, what, limit, future, progress)
    return _result(job, future)


def _run(future: 'Future[T]', call: Callable[[Progress], T], progress: Progress) -> None:
    try:
        future.set_result(call(progress))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the job waits
        future.set_exception(error)


def _comes(future: 'Future[Any]', timeout_s: float) -> bool:
    """Whether the call comes back within the time."""
    if timeout_s > 0 and not future.done():
        arrived = threading.Event()
        future.add_done_callback(lambda _future: arrived.set())
        arrived.wait(timeout_s)
    return future.done()


def _end(job: Job, what: str, limit: Limit, future: 'Future[T]', progress: Progress) -> T:
    """Ask the call to end; it may still turn out to have succeeded."""
    progress.cancelled.set()
    if not _comes(future, limit.grace_s):
        job.stuck = future
        raise StepTimeout(f'{_too_long(what, limit)}, and cannot be ended: the guest is left alone until it is over')
    error = future.exception()
    if isinstance(error, Cancelled):
        raise StepTimeout(_too_long(what, limit)) from error
    return future.result()


def _too_long(what: str, limit: Limit) -> str:
    if limit.stall_s is not None:
        return f'{what} made no progress for {limit.stall_s:g} s'
    return f'{what} took longer than {limit.total_s:g} s'


def _result(job: Job, future: 'Future[T]') -> T:
    """What came back. A driver ends with Cancelled or with another error when the job is cancelled: both mean that."""
    if future.exception() is not None:
        job.check()
    return future.result()


def store_progress(progress: Progress) -> StoreProgress:
    """A call's progress as image stores want it: it counts, and ends the transfer when the call should end."""

    def advanced(done_bytes: int, _total_bytes: int | None) -> None:
        progress.advance(done_bytes)
        if progress.cancelled.is_set():
            raise Cancelled

    return advanced
