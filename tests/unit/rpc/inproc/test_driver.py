"""What inproc:// does beyond the contract that RabbitMQ keeps as well."""

import os
import time
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg
from oslo_messaging import MessageDeliveryFailure, MessagingTimeout, Target

from cloudplane.rpc import inproc
from tests.integration.rpc.transport_contract.bus import Aside, Bus, Recorder, finish


def test_another_name_is_another_broker(bus: Bus, name: str) -> None:
    bus.serve(Recorder())
    elsewhere = Bus(f'inproc://{name}-other')

    with pytest.raises(MessagingTimeout):
        elsewhere.client(topic=bus.topic, timeout=0.05).call({}, 'note')
    elsewhere.close()


@pytest.mark.parametrize('form', ['inproc://{}', 'inproc:///{}', 'inproc://{}/'])
def test_all_forms_of_the_url_name_the_same_broker(bus: Bus, name: str, form: str) -> None:
    bus.serve(Recorder('a'))
    other = Bus(form.format(name))

    assert other.client(topic=bus.topic).call({}, 'note') == 'a'
    other.close()


def test_exchanges_are_apart(bus: Bus) -> None:
    bus.serve(Recorder())

    with pytest.raises(MessagingTimeout):
        bus.client(timeout=0.05).prepare(exchange='another').call({}, 'note')


def test_servers_of_the_same_name_take_turns(bus: Bus) -> None:
    bus.serve(Recorder('first'), 'a')
    bus.serve(Recorder('second'), 'a')
    to_a = bus.client().prepare(server='a')

    assert [to_a.call({}, 'note') for _ in range(4)] == ['first', 'second'] * 2


def test_a_timeout_says_what_was_asked_of_whom(bus: Bus) -> None:
    with pytest.raises(MessagingTimeout, match=f'^note on {bus.topic} on h7: no reply came in time$'):
        bus.client(timeout=0.01).prepare(server='h7').call({}, 'note')


def test_a_caller_whose_result_cannot_travel_is_woken_at_once(bus: Bus) -> None:
    class Broken:
        def broken(self, context: dict[str, Any]) -> object:
            return object()

    bus.serve(Broken())

    with pytest.raises(MessagingTimeout, match='cannot be serialized'):
        bus.client(timeout=60).call({}, 'broken')


def test_what_comes_between_subscription_and_start_is_delivered_at_the_start(bus: Bus) -> None:
    listener = bus.transport._listen(Target(topic=bus.topic, server='a'), 1, None)
    bus.client().cast({}, 'note', value='early')
    delivered: list[Any] = []

    listener.start(delivered.extend)

    assert [incoming.message['args'] for incoming in delivered] == [{'value': 'early'}]
    listener.cleanup()


def test_a_listener_that_is_cleaned_up_wakes_the_callers_it_leaves(bus: Bus) -> None:
    listener = bus.transport._listen(Target(topic=bus.topic, server='a'), 1, None)
    delivered: list[Any] = []
    listener.start(delivered.extend)
    call = Aside(bus.client(timeout=60).call, {}, 'note')
    _until(lambda: delivered)

    listener.stop()
    listener.cleanup()

    with pytest.raises(MessagingTimeout, match='stopped before it answered'):
        call.result()


def test_a_transport_that_is_cleaned_up_wakes_its_callers_and_stops_its_listeners(bus: Bus) -> None:
    remote = Bus(bus.url)
    listener = remote.transport._listen(Target(topic=bus.topic, server='a'), 1, None)
    delivered: list[Any] = []
    listener.start(delivered.extend)
    call = Aside(remote.client(topic=bus.topic, timeout=60).call, {}, 'note')
    _until(lambda: delivered)

    remote.transport.cleanup()

    with pytest.raises(MessagingTimeout):
        call.result()
    bus.client().cast({}, 'note')
    assert len(delivered) == 1
    with pytest.raises(MessageDeliveryFailure, match='cleaned up'):
        remote.client().cast({}, 'note')


def test_a_cleaned_up_transport_leaves_the_others_alone(bus: Bus) -> None:
    bus.serve(Recorder('a'))
    Bus(bus.url).close()

    assert bus.client().call({}, 'note') == 'a'


def test_a_stopped_listener_is_called_no_more(bus: Bus) -> None:
    listener = bus.transport._listen(Target(topic=bus.topic, server='a'), 1, None)
    delivered: list[Any] = []
    listener.start(delivered.extend)
    listener.stop()

    bus.client().cast({}, 'note')

    assert delivered == []


def test_notifications_are_refused() -> None:
    transport = oslo_messaging.get_notification_transport(cfg.CONF, 'inproc://notifications')

    with pytest.raises(NotImplementedError, match='notifications are not supported'):
        transport._driver.send_notification(Target(topic='t'), {}, {}, 2.0)
    with pytest.raises(NotImplementedError, match='notifications are not supported'):
        oslo_messaging.get_notification_listener(transport, [Target(topic='t')], [object()]).start()


def test_requeueing_is_refused(bus: Bus) -> None:
    with pytest.raises(NotImplementedError):
        bus.transport._require_driver_features(requeue=True)


def test_more_than_one_worker_is_refused() -> None:
    inproc.refuse_workers(1)

    with pytest.raises(inproc.WorkersRefused, match='workers must be 1, not 2'):
        inproc.refuse_workers(2)


def test_a_process_that_was_forked_off_cannot_send(bus: Bus) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            bus.client().cast({}, 'note')
        except MessageDeliveryFailure:
            os._exit(7)
        os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_no_call_waits_for_a_poll(bus: Bus) -> None:
    server = bus.serve(Recorder())
    client = bus.client()
    started_s = time.monotonic()

    for n in range(200):
        client.call({}, 'note', value=n)

    assert time.monotonic() - started_s < 5  # with a poll each 50 ms it would be 10
    finish(server)


def _until(condition: Any) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
