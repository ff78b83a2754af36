"""Who receives a message."""

import pytest
from oslo_messaging import MessageUndeliverable, MessagingTimeout, TransportOptions

from tests.integration.rpc.transport_contract.bus import Bus, Recorder, finish


def test_a_call_to_a_server_reaches_that_server_alone(bus: Bus) -> None:
    a, b = Recorder('a'), Recorder('b')
    bus.serve(a, 'a')
    bus.serve(b, 'b')
    to_b = bus.client().prepare(server='b')

    assert [to_b.call({}, 'note', value=n) for n in range(4)] == ['b'] * 4
    assert a.all() == []


def test_servers_of_a_topic_take_turns(bus: Bus) -> None:
    for name in 'abc':
        bus.serve(Recorder(name), name)
    client = bus.client()

    answers = [client.call({}, 'note') for _ in range(12)]

    assert {name: answers.count(name) for name in 'abc'} == {'a': 4, 'b': 4, 'c': 4}


def test_a_fanout_reaches_every_listener_once(bus: Bus) -> None:
    recorders = {name: Recorder(name) for name in 'abc'}
    for name, recorder in recorders.items():
        bus.serve(recorder, name)

    bus.client().prepare(fanout=True).cast({}, 'note', value='all')

    assert [recorder.next() for recorder in recorders.values()] == ['all'] * 3
    for name, recorder in recorders.items():
        bus.client().prepare(server=name).call({}, 'note', value='last')
        assert recorder.all() == ['last']


def test_a_fanout_is_not_kept_for_servers_that_start_later(bus: Bus) -> None:
    early, late = Recorder(), Recorder()
    bus.serve(early, 'early')
    everybody = bus.client().prepare(fanout=True)
    everybody.cast({}, 'note', value='first')
    assert early.next() == 'first'

    bus.serve(late, 'late')
    everybody.cast({}, 'note', value='second')

    assert late.next() == 'second'
    assert late.all() == []


def test_a_topic_does_not_hear_another_topic(bus: Bus) -> None:
    here, there = Recorder('here'), Recorder('there')
    bus.serve(here)
    bus.serve(there, topic=f'{bus.topic}-other')

    assert bus.client().call({}, 'note') == 'here'
    bus.client().prepare(fanout=True).cast({}, 'note', value='fanout')

    assert [here.next(), here.next()] == [None, 'fanout']
    assert bus.client(topic=f'{bus.topic}-other').call({}, 'note', value='marker') == 'there'
    assert there.all() == ['marker']


def test_a_cast_reaches_one_server_and_returns_nothing(bus: Bus) -> None:
    recorder = Recorder()
    bus.serve(recorder)

    assert bus.client().cast({}, 'note', value=1) is None
    assert recorder.next() == 1


def test_a_cast_for_which_nobody_listens_is_dropped_without_a_word(bus: Bus) -> None:
    client = bus.client()

    client.cast({}, 'note', value='to the topic')
    client.prepare(server='a').cast({}, 'note', value='to a server')
    client.prepare(fanout=True).cast({}, 'note', value='to all')

    recorder = Recorder()
    bus.serve(recorder, 'a')
    client.call({}, 'note', value='marker')
    client.prepare(server='a').call({}, 'note', value='marker')
    assert recorder.all() == ['marker', 'marker']


def test_a_call_for_which_nobody_listens_times_out(bus: Bus) -> None:
    with pytest.raises(MessagingTimeout):
        bus.client(timeout=0.3).call({}, 'note')


def test_a_sender_may_insist_on_a_listener(bus: Bus) -> None:
    client = bus.client(transport_options=TransportOptions(at_least_once=True))

    with pytest.raises(MessageUndeliverable):
        client.cast({}, 'note')


def test_what_is_sent_to_a_server_that_has_stopped_is_not_kept_for_its_successor(bus: Bus) -> None:
    finish(bus.serve(Recorder(), 'a'))
    to_a = bus.client().prepare(server='a')
    to_a.cast({}, 'note', value='too late')

    successor = Recorder()
    bus.serve(successor, 'a')

    to_a.call({}, 'note', value='marker')
    assert successor.all() == ['marker']


def test_a_stopped_server_leaves_its_share_of_the_topic_to_the_others(bus: Bus) -> None:
    stopped = bus.serve(Recorder('a'), 'a')
    bus.serve(Recorder('b'), 'b')
    finish(stopped)
    client = bus.client()

    assert [client.call({}, 'note') for _ in range(4)] == ['b'] * 4


def test_transports_of_one_url_share_the_bus(bus: Bus) -> None:
    bus.serve(Recorder('a'))

    assert bus.client(bus.new_transport()).call({}, 'note') == 'a'
