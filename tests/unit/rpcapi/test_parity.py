"""Every client method has an end-point of the same name and parameters, and the other way round."""

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest

from cloudplane.compute.manager import ComputeManager
from cloudplane.conductor.manager import ConductorManager
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI
from cloudplane.scheduler.manager import SchedulerManager

PAIRS = [(ConductorAPI, ConductorManager), (SchedulerAPI, SchedulerManager), (ComputeAPI, ComputeManager)]
# What a client needs to find the host, and its end-point knows.
ADDRESSING: dict[tuple[type, str], set[str]] = {(ComputeAPI, 'console_log'): {'host'}}


def _methods(kind: type) -> dict[str, Callable[..., Any]]:
    own = {name: member for name, member in vars(kind).items() if inspect.isfunction(member)}
    return {name: inspect.unwrap(member) for name, member in own.items() if not name.startswith('_')}


CASES = [(client, manager, name) for client, manager in PAIRS for name in _methods(client)]
IDS = [f'{client.__name__}.{name}' for client, _, name in CASES]


@pytest.mark.parametrize(('client', 'manager'), PAIRS, ids=lambda kind: kind.__name__)
def test_clients_and_end_points_have_the_same_methods(client: type, manager: type) -> None:
    assert _methods(client).keys() == _methods(manager).keys()


@pytest.mark.parametrize(('client', 'manager', 'name'), CASES, ids=IDS)
def test_a_client_and_its_end_point_have_the_same_parameters(client: type, manager: type, name: str) -> None:
    ours, theirs = (list(inspect.signature(_methods(kind)[name]).parameters) for kind in (client, manager))
    addressing = ADDRESSING.get((client, name), set())

    assert [each for each in ours if each not in addressing] == theirs
    assert ours[:2] == ['self', 'ctxt']


@pytest.mark.parametrize(('client', 'manager', 'name'), CASES, ids=IDS)
def test_a_client_and_its_end_point_have_the_same_types(client: type, manager: type, name: str) -> None:
    ours, theirs = (typing.get_type_hints(_methods(kind)[name]) for kind in (client, manager))
    for each in ADDRESSING.get((client, name), set()):
        ours.pop(each)

    assert ours == theirs


@pytest.mark.parametrize(('client', 'manager', 'name'), CASES, ids=IDS)
def test_a_message_is_named_like_its_method_and_carries_its_parameters(client: type, manager: type, name: str) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []

    class Recording(client):  # type: ignore[misc]  # one subclass for each client
        def __init__(self) -> None:
            """No transport."""

        def _call(self, _ctxt: Any, method: str, *, server: str | None = None, **arguments: Any) -> None:
            sent.append((method, arguments))

        def _cast(
            self, _ctxt: Any, method: str, *, server: str | None = None, fanout: bool = False, **arguments: Any
        ) -> None:
            sent.append((method, arguments))

    parameters = [each for each in inspect.signature(_methods(client)[name]).parameters if each not in ('self', 'ctxt')]

    class Anything:
        host = 'h1'

    getattr(Recording(), name)(None, *(Anything() for _ in parameters))

    ((method, arguments),) = sent
    assert method == name
    assert list(arguments) == list(inspect.signature(_methods(manager)[name]).parameters)[2:]
