"""Calls with a limit."""

import threading
import time
from collections.abc import Callable

import pytest

from cloudplane.compute.bounded import Limit, run_bounded, store_progress
from cloudplane.compute.job import SUPERSEDED, Job
from cloudplane.compute.virt.driver import Progress
from cloudplane.exceptions import Cancelled, GuestError, StepTimeout
from tests.unit.compute.agent import Gate
from tests.unit.compute.test_fence import order

TOTAL = Limit(total_s=0.15, grace_s=0.05)
STALL = Limit(stall_s=0.15, grace_s=0.05)


def advancing(seconds: float) -> Callable[[Progress], str]:
    """A transfer that advances all the time, and listens."""

    def call(progress: Progress) -> str:
        until, done = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            done += 1
            progress.advance(done)
            if progress.cancelled.wait(0.01):
                raise Cancelled
        return 'copied'

    return call


def listening(progress: Progress) -> None:
    """A call that does nothing until it is cancelled."""
    assert progress.cancelled.wait(10)
    raise Cancelled


def test_what_the_call_returns_or_raises_comes_out() -> None:
    job = Job(order(1))
    assert run_bounded(job, 'x', TOTAL, lambda _: 7) == 7

    def fails(_progress: Progress) -> None:
        raise GuestError('broken')

    with pytest.raises(GuestError, match='broken'):
        run_bounded(job, 'x', TOTAL, fails)


def test_a_transfer_that_advances_may_take_as_long_as_it_likes() -> None:
    assert run_bounded(Job(order(1)), 'the copy', STALL, advancing(0.5)) == 'copied'


def test_a_transfer_that_stalls_ends_with_its_name_and_its_time() -> None:
    job = Job(order(1))
    with pytest.raises(StepTimeout, match=r'the copy made no progress for 0\.15 s'):
        run_bounded(job, 'the copy', STALL, listening)
    assert job.stuck is None


def test_advancing_does_not_save_a_call_that_is_limited_in_all() -> None:
    with pytest.raises(StepTimeout, match=r'the stop took longer than 0\.15 s'):
        run_bounded(Job(order(1)), 'the stop', TOTAL, advancing(5))


def test_repeating_the_same_number_is_no_progress() -> None:
    def call(progress: Progress) -> None:
        while not progress.cancelled.wait(0.01):
            progress.advance(5)
        raise Cancelled

    with pytest.raises(StepTimeout):
        run_bounded(Job(order(1)), 'the copy', STALL, call)


def test_a_call_that_succeeds_when_it_is_asked_to_end_has_succeeded() -> None:
    def call(progress: Progress) -> str:
        assert progress.cancelled.wait(10)
        return 'after all'

    assert run_bounded(Job(order(1)), 'x', TOTAL, call) == 'after all'


def test_a_call_that_does_not_end_is_left_behind_and_remembered() -> None:
    job, gate = Job(order(1)), Gate()
    with pytest.raises(StepTimeout, match='cannot be ended'):
        run_bounded(job, 'the start', TOTAL, gate)
    assert job.stuck is not None
    assert not job.stuck.done()
    gate.open()
    job.stuck.result(10)


def test_a_job_that_is_cancelled_ends_the_call_that_listens() -> None:
    job, begun = Job(order(1)), threading.Event()

    def call(progress: Progress) -> None:
        begun.set()
        listening(progress)

    def cancel() -> None:
        assert begun.wait(10)
        job.cancel(SUPERSEDED)

    threading.Thread(target=cancel).start()
    with pytest.raises(Cancelled):
        run_bounded(job, 'x', Limit(total_s=10), call)


def test_a_call_that_fails_because_its_job_was_cancelled_counts_as_cancelled() -> None:
    job = Job(order(1))

    def call(_progress: Progress) -> None:
        job.cancel(SUPERSEDED)
        raise GuestError('the disk went away')

    with pytest.raises(Cancelled):
        run_bounded(job, 'x', TOTAL, call)


def test_an_image_store_is_told_to_end_through_its_progress() -> None:
    seen: list[int] = []
    progress = Progress(seen.append)
    advanced = store_progress(progress)
    advanced(5, None)
    progress.cancelled.set()
    with pytest.raises(Cancelled):
        advanced(9, 10)
    assert seen == [5, 9]
