"""What waits while the scheduler decides."""

import threading

import pytest

from cloudplane.context import service_context
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.intake import BATCH, Intake, WakeUp
from tests.unit.scheduler.fleet import request, requests

CTXT = service_context()


def opened(max_held: int = 1000) -> Intake:
    intake = Intake(max_held)
    intake.open()
    return intake


def specs(batch: list[WakeUp] | None) -> list[BuildSpec]:
    assert batch is not None
    return [spec for wake_up in batch for spec in wake_up.specs]


def test_what_came_since_the_last_batch_is_the_next_one() -> None:
    intake = opened()
    intake.offer(CTXT, [request(1)])
    first = intake.take()
    intake.offer(CTXT, [request(2)])
    intake.offer(CTXT, [request(3)])

    assert specs(first) == [request(1)]
    assert specs(intake.take()) == [request(2), request(3)]


def test_a_request_is_never_split_however_large_and_a_batch_ends_after_it() -> None:
    intake = opened()
    intake.offer(CTXT, requests(BATCH * 2))
    intake.offer(CTXT, [request(1000)])

    assert len(specs(intake.take())) == BATCH * 2
    assert specs(intake.take()) == [request(1000)]


def test_a_spec_that_waits_or_is_being_decided_is_not_kept_twice() -> None:
    intake = opened()
    intake.offer(CTXT, [request(1), request(1)])
    intake.offer(CTXT, [request(1)])
    batch = intake.take()
    intake.offer(CTXT, [request(1), request(2)])

    assert specs(batch) == [request(1)]
    assert specs(intake.take()) == [request(2)]


def test_a_spec_may_come_again_once_it_was_decided() -> None:
    intake = opened()
    intake.offer(CTXT, [request(1)])
    batch = intake.take()
    assert batch is not None

    intake.done(batch)
    intake.offer(CTXT, [request(1)])

    assert specs(intake.take()) == [request(1)]


def test_a_later_attempt_and_another_excluded_host_make_another_spec() -> None:
    intake = opened()
    different = [request(1), request(1, attempt=1), request(1, excluded_hosts=(4,))]

    intake.offer(CTXT, different)

    assert specs(intake.take()) == different


def test_what_does_not_fit_is_dropped_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    intake = opened(max_held=3)
    intake.offer(CTXT, requests(2))

    intake.offer(CTXT, [request(3), request(4), request(5)])

    assert specs(intake.take()) == requests(3)
    assert 'Dropped 2 builds' in caplog.text


def test_there_is_room_again_once_a_batch_was_decided_and_not_before() -> None:
    intake = opened(max_held=1)
    intake.offer(CTXT, [request(1)])
    batch = intake.take()
    assert batch is not None
    intake.offer(CTXT, [request(2)])

    intake.done(batch)
    intake.offer(CTXT, [request(3)])

    assert specs(intake.take()) == [request(3)]


def test_nothing_is_given_out_before_the_intake_is_opened() -> None:
    intake = Intake(10)
    intake.offer(CTXT, [request(1)])
    taken: list[BuildSpec] = []
    taker = threading.Thread(target=lambda: taken.extend(specs(intake.take())))
    taker.start()

    assert taken == []
    intake.open()
    taker.join(10)
    assert taken == [request(1)]


def test_closing_ends_the_wait_and_leaves_what_waits_to_the_reconciler() -> None:
    intake = opened()
    answers: list[object] = []
    taker = threading.Thread(target=lambda: answers.append(intake.take()))
    taker.start()

    intake.close()
    taker.join(10)
    intake.offer(CTXT, [request(1)])

    assert answers == [None]
    assert intake.take() is None
