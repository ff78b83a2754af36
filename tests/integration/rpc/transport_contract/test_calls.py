"""Waiting for answers: side by side, too late, monitored, and while the server stops."""

import threading
import time
from typing import Any

import pytest
from oslo_messaging import InvalidTarget, MessagingTimeout

from tests.integration.rpc.transport_contract.bus import PATIENCE_S, Aside, Bus, Recorder, finish


class Gate:
    """An end-point that holds each request until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Semaphore(0), threading.Event()
        self.finished: list[Any] = []

    def passes(self, context: dict[str, Any], value: Any) -> Any:
        self.entered.release()
        assert self.opened.wait(PATIENCE_S)
        self.finished.append(value)
        return value

    def quick(self, context: dict[str, Any], value: Any) -> Any:
        return value

    def wait_for(self, requests: int) -> None:
        for _ in range(requests):
            assert self.entered.acquire(timeout=PATIENCE_S)


def test_calls_run_side_by_side_and_each_gets_its_own_answer(bus: Bus) -> None:
    gate = Gate()
    bus.serve(gate)
    client = bus.client()
    calls = [Aside(client.call, {}, 'passes', value=n) for n in range(20)]

    gate.wait_for(20)
    gate.opened.set()

    assert [call.result() for call in calls] == list(range(20))


def test_a_handler_may_call_other_servers(bus: Bus) -> None:
    class Relay:
        def relay(self, context: dict[str, Any]) -> Any:
            return bus.client(topic=f'{bus.topic}-next').call(context, 'note')

    bus.serve(Relay())
    bus.serve(Recorder('at the end'), topic=f'{bus.topic}-next')

    assert bus.client().call({}, 'relay') == 'at the end'


def test_a_call_cannot_be_a_fanout(bus: Bus) -> None:
    with pytest.raises(InvalidTarget):
        bus.client().prepare(fanout=True).call({}, 'note')


def test_a_slow_call_times_out_and_its_late_answer_disturbs_nobody(bus: Bus) -> None:
    gate = Gate()
    bus.serve(gate)

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=0.5).call({}, 'passes', value='late')
    gate.opened.set()

    assert bus.client().call({}, 'quick', value='mine') == 'mine'


def test_a_monitored_call_lasts_as_long_as_the_server_works_on_it(bus: Bus) -> None:
    class Slow:
        def work(self, context: dict[str, Any]) -> str:
            time.sleep(3.2)  # longer than the monitor's patience of 2 s; the heartbeat comes every second
            return 'done'

    bus.serve(Slow())

    assert bus.client(call_monitor_timeout=2).call({}, 'work') == 'done'


def test_a_monitored_call_gives_up_early_when_no_heartbeat_comes(bus: Bus) -> None:
    started_s = time.monotonic()

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=60, call_monitor_timeout=1).call({}, 'note')

    assert time.monotonic() - started_s < 30


def test_a_monitored_call_ends_at_its_timeout_in_spite_of_heartbeats(bus: Bus) -> None:
    gate = Gate()
    bus.serve(gate)

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=3, call_monitor_timeout=2).call({}, 'passes', value=1)

    gate.opened.set()


def test_a_server_that_stops_still_answers_what_it_had_taken(bus: Bus) -> None:
    gate = Gate()
    server = bus.serve(gate)
    client = bus.client()
    calls = [Aside(client.call, {}, 'passes', value=n) for n in range(3)]
    gate.wait_for(3)

    server.stop()
    ended = Aside(server.wait)
    gate.opened.set()

    ended.result()
    assert [call.result() for call in calls] == [0, 1, 2]


def test_a_server_that_stops_still_finishes_the_casts_it_had_taken(bus: Bus) -> None:
    gate = Gate()
    server = bus.serve(gate)
    for n in range(3):
        bus.client().cast({}, 'passes', value=n)
    gate.wait_for(3)
    gate.opened.set()

    finish(server)

    assert sorted(gate.finished) == [0, 1, 2]


def test_a_stopped_server_can_be_started_again(bus: Bus) -> None:
    server = bus.serve(Recorder('a'))
    finish(server)

    server.start()

    assert bus.client().call({}, 'note') == 'a'
