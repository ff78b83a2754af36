"""Wake-ups: bounded, in order, and never in the way."""

import threading

import pytest

from cloudplane.api.wakeups import WakeUps
from cloudplane.context import service_context
from cloudplane.exceptions import ServiceUnavailable
from cloudplane.objects.operation import WorkOrder
from tests.doubles.compute import FakeCompute
from tests.doubles.scheduler import FakeScheduler

CONTEXT = service_context()


def _order(number: int) -> WorkOrder:
    return WorkOrder(
        operation_id=str(number),
        request_id='req-1',
        server_id='s',
        kind='stop',
        sequence=1,
        attempt=1,
        host='h',
        remaining_s=1,
    )


def test_what_waits_is_sent_before_the_stop() -> None:
    compute = FakeCompute()
    wakeups = WakeUps(FakeScheduler(), compute)
    for number in range(100):
        wakeups.work(CONTEXT, _order(number))
    wakeups.start()
    wakeups.stop(10)
    assert [order.operation_id for order in compute.orders] == [str(number) for number in range(100)]


def test_what_finds_no_room_is_dropped_and_said(caplog: pytest.LogCaptureFixture) -> None:
    compute = FakeCompute()
    wakeups = WakeUps(FakeScheduler(), compute, limit=2)
    for number in range(3):
        wakeups.work(CONTEXT, _order(number))
    wakeups.start()
    wakeups.stop(10)
    assert [order.operation_id for order in compute.orders] == ['0', '1']
    assert 'No room for the wake-up for stop 2' in caplog.text


def test_one_that_cannot_be_sent_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    scheduler, compute = FakeScheduler(), FakeCompute()
    scheduler.error = ServiceUnavailable('no broker')
    wakeups = WakeUps(scheduler, compute)
    wakeups.start()
    wakeups.build(CONTEXT, ())
    wakeups.work(CONTEXT, _order(1))
    wakeups.stop(10)
    assert len(compute.orders) == 1
    assert 'no broker' in caplog.text


def test_a_stop_does_not_wait_for_a_broker_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = FakeScheduler()
    scheduler.open.clear()
    wakeups = WakeUps(scheduler, FakeCompute(), limit=1)
    wakeups.start()
    stopped = threading.Thread(target=wakeups.stop, args=(0.05,))
    wakeups.build(CONTEXT, ())
    wakeups.work(CONTEXT, _order(1))
    stopped.start()
    stopped.join(10)
    assert not stopped.is_alive()
    scheduler.open.set()


def test_a_stop_without_a_start_is_harmless() -> None:
    WakeUps(FakeScheduler(), FakeCompute()).stop(1)
