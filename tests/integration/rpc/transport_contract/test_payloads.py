"""What becomes of arguments, contexts and results on their way."""

import datetime
import queue
from typing import Any

import pytest
from oslo_messaging import MessagingTimeout

from tests.integration.rpc.transport_contract.bus import Bus, Recorder


class Echo:
    """An end-point that gives back what it was given."""

    def __init__(self) -> None:
        self.contexts: queue.Queue[dict[str, Any]] = queue.Queue()

    def echo(self, context: dict[str, Any], value: Any) -> Any:
        self.contexts.put(context)
        return value

    def unserializable(self, context: dict[str, Any]) -> object:
        return object()


@pytest.mark.parametrize(
    'value',
    [None, 0, '', [], {}, False, 1.5, 'äöü 🙂', {'nested': [{'deep': [1, 2, None]}]}, 'x' * 2_000_000],
    ids=lambda value: str(value)[:20],
)
def test_json_values_arrive_and_return_as_they_were(bus: Bus, value: Any) -> None:
    bus.serve(Echo())

    assert bus.client().call({}, 'echo', value=value) == value


def test_other_values_become_json_on_the_way(bus: Bus) -> None:
    bus.serve(Echo())
    when = datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.UTC)

    answer = bus.client().call({}, 'echo', value={1: (2, 3), 'when': when})

    assert answer == {'1': [2, 3], 'when': '2024-02-29T12:00:00.000000'}


def test_sender_and_receiver_share_no_object(bus: Bus) -> None:
    recorder = Recorder()
    bus.serve(recorder)
    sent = {'list': [1]}

    bus.client().call({}, 'note', value=sent)
    received = recorder.next()
    received['list'].append(2)

    assert sent == {'list': [1]}


def test_the_context_travels_with_the_message(bus: Bus) -> None:
    echo = Echo()
    bus.serve(echo)

    bus.client().call({'request_id': 'req-1', 'roles': ['admin']}, 'echo', value=None)

    context = echo.contexts.get_nowait()
    assert (context['request_id'], context['roles']) == ('req-1', ['admin'])


def test_an_argument_that_is_no_json_fails_in_the_sender(bus: Bus) -> None:
    recorder = Recorder()
    bus.serve(recorder)
    client = bus.client()

    for send in (client.call, client.cast):
        with pytest.raises(ValueError, match='object'):
            send({}, 'note', value=object())

    client.call({}, 'note', value='marker')
    assert recorder.all() == ['marker']


def test_a_context_that_is_no_json_fails_in_the_sender(bus: Bus) -> None:
    bus.serve(Echo())

    with pytest.raises(ValueError, match='object'):
        bus.client().call({'user': object()}, 'echo', value=1)


def test_a_result_that_is_no_json_never_reaches_the_caller(bus: Bus) -> None:
    bus.serve(Echo())

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=1).call({}, 'unserializable')

    assert bus.client().call({}, 'echo', value='still alive') == 'still alive'
