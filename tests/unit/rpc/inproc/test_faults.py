"""The interceptor: what it sees, and what its verdicts do."""

import threading
from typing import Any

import pytest
from oslo_messaging import MessageDeliveryFailure, MessagingTimeout

from cloudplane.rpc import inproc
from tests.integration.rpc.transport_contract.bus import Bus, Recorder


def test_an_interceptor_sees_each_step_of_a_call(bus: Bus, name: str) -> None:
    seen: list[inproc.Message] = []

    def watch(message: inproc.Message) -> inproc.Verdict:
        seen.append(message)
        return inproc.DELIVER

    bus.serve(Recorder('a'), 'a')
    inproc.broker(name).interceptor = watch
    bus.client().call({'request_id': 'req-1'}, 'note', value=5)

    assert [(step.kind, step.topic, step.server, step.method, step.fanout) for step in seen] == [
        ('call', bus.topic, 'a', 'note', False),
        ('reply', bus.topic, 'a', 'note', False),
    ]
    assert seen[0].body == {'context': {'request_id': 'req-1'}, 'message': {'method': 'note', 'args': {'value': 5}}}
    assert seen[1].body == {'result': 'a', 'failure': None}


def test_a_dropped_request_never_reaches_the_server(bus: Bus, name: str) -> None:
    recorder = Recorder()
    bus.serve(recorder)
    inproc.broker(name).interceptor = lambda message: inproc.DROP

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=0.1).call({}, 'note')

    assert recorder.all() == []


def test_a_dropped_reply_leaves_the_work_done_and_the_caller_waiting(bus: Bus, name: str) -> None:
    recorder = Recorder()
    bus.serve(recorder)
    inproc.broker(name).interceptor = lambda message: inproc.DROP if message.kind == 'reply' else inproc.DELIVER

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=0.1).call({}, 'note', value='done')

    assert recorder.all() == ['done']


def test_a_duplicated_call_is_handled_twice_and_answered_once(bus: Bus, name: str) -> None:
    recorder = Recorder('a')
    bus.serve(recorder)
    inproc.broker(name).interceptor = lambda message: inproc.DUPLICATE

    assert bus.client().call({}, 'note', value=1) == 'a'
    assert [recorder.next(), recorder.next()] == [1, 1]


def test_a_delayed_message_comes_later(bus: Bus, name: str) -> None:
    recorder = Recorder()
    bus.serve(recorder)
    late = {'message': inproc.delay(0.2)}
    inproc.broker(name).interceptor = lambda message: late.pop('message', inproc.DELIVER)

    bus.client().cast({}, 'note', value='delayed')
    bus.client().cast({}, 'note', value='at once')

    assert [recorder.next(), recorder.next()] == ['at once', 'delayed']


def test_a_message_may_be_held_until_the_test_hands_it_over(bus: Bus, name: str) -> None:
    held: list[inproc.Message] = []

    def hold(message: inproc.Message) -> inproc.Verdict:
        held.append(message)
        return inproc.DROP

    recorder = Recorder()
    bus.serve(recorder)
    inproc.broker(name).interceptor = hold
    bus.client().cast({}, 'note', value='held')
    inproc.broker(name).interceptor = None
    bus.client().call({}, 'note', value='first')

    held[0].hand_over()

    assert [recorder.next(), recorder.next()] == ['first', 'held']


def test_a_fanout_may_miss_one_listener(bus: Bus, name: str) -> None:
    a, b = Recorder('a'), Recorder('b')
    bus.serve(a, 'a')
    bus.serve(b, 'b')
    inproc.broker(name).interceptor = lambda message: inproc.DROP if message.server == 'a' else inproc.DELIVER

    bus.client().prepare(fanout=True).cast({}, 'note', value='all')

    assert b.next() == 'all'
    assert a.all() == []


def test_an_unreachable_broker_fails_in_the_sender(bus: Bus, name: str) -> None:
    def unreachable(message: inproc.Message) -> inproc.Verdict:
        raise MessageDeliveryFailure('the broker is down')

    bus.serve(Recorder())
    inproc.broker(name).interceptor = unreachable

    with pytest.raises(MessageDeliveryFailure, match='the broker is down'):
        bus.client().cast({}, 'note')


def test_a_monitored_call_gives_up_when_the_heartbeats_of_its_server_are_lost(bus: Bus, name: str) -> None:
    class Slow:
        opened = threading.Event()

        def work(self, context: dict[str, Any]) -> None:
            assert self.opened.wait(20)

    bus.serve(Slow())
    lost: list[inproc.Message] = []

    def lose_heartbeats(message: inproc.Message) -> inproc.Verdict:
        if message.kind == 'heartbeat':
            lost.append(message)
            return inproc.DROP
        return inproc.DELIVER

    inproc.broker(name).interceptor = lose_heartbeats
    with pytest.raises(MessagingTimeout):
        bus.client(timeout=60, call_monitor_timeout=2).call({}, 'work')

    assert lost
    Slow.opened.set()
