"""What a caller sees of an exception on the other side."""

from typing import Any

import pytest
from oslo_messaging import RemoteError, Target, expected_exceptions

from tests.integration.rpc.transport_contract.bus import Bus
from tests.integration.rpc.transport_contract.failures import OutOfRoom


class NotToldToClients(Exception):
    """Its module is not among those that a client may import."""


class Failing:
    target = Target(version='1.3')

    def allowed(self, context: dict[str, Any]) -> None:
        raise OutOfRoom('no room', host='h1', free_mb=5)

    @expected_exceptions(OutOfRoom)  # type: ignore[untyped-decorator]  # oslo.messaging has no types
    def expected(self, context: dict[str, Any]) -> None:
        raise OutOfRoom('expected')

    def foreign(self, context: dict[str, Any]) -> None:
        raise NotToldToClients('secret')

    def built_in(self, context: dict[str, Any]) -> None:
        raise KeyError('colour')


def test_an_allowed_exception_is_rebuilt_with_details_and_traceback(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(OutOfRoom) as caught:
        bus.client().call({}, 'allowed')

    assert type(caught.value).__name__ == 'OutOfRoom_Remote'
    assert type(caught.value).__module__ == f'{OutOfRoom.__module__}_Remote'
    assert caught.value.args == ('no room',)
    assert caught.value.kwargs == {'host': 'h1', 'free_mb': 5}
    assert 'no room\nTraceback' in str(caught.value)
    assert 'in allowed' in str(caught.value)


def test_an_expected_exception_looks_the_same_to_the_caller(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(OutOfRoom, match='expected'):
        bus.client().call({}, 'expected')


def test_an_exception_of_another_module_becomes_a_remote_error(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(RemoteError) as caught:
        bus.client().call({}, 'foreign')

    assert (caught.value.exc_type, caught.value.value) == ('NotToldToClients', 'secret')
    assert 'in foreign' in ''.join(caught.value.traceback)


def test_a_built_in_exception_keeps_its_class_and_tells_the_traceback(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(KeyError) as caught:
        bus.client().call({}, 'built_in')

    assert 'in built_in' in caught.value.args[0]


def test_an_unknown_method_is_told_to_the_caller(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(RemoteError) as caught:
        bus.client().call({}, 'no_such_thing')

    assert caught.value.exc_type == 'NoSuchMethod'


def test_a_version_that_the_server_does_not_speak_is_told_to_the_caller(bus: Bus) -> None:
    bus.serve(Failing())

    with pytest.raises(RemoteError) as caught:
        bus.client().prepare(version='1.4').call({}, 'allowed')

    assert caught.value.exc_type == 'UnsupportedVersion'


def test_a_failing_cast_does_not_disturb_the_next_message(bus: Bus) -> None:
    bus.serve(Failing())
    client = bus.client()

    client.cast({}, 'allowed')

    with pytest.raises(KeyError):
        client.call({}, 'built_in')
