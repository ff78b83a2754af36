"""The bounded intake of RPC servers."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from cloudplane import exceptions
from cloudplane.context import RequestContext, service_context
from cloudplane.rpc.transport import RpcClient, end_point_target, get_server, get_transport

WAIT_S = 10.0


class Slow:
    """An end-point that holds each message until it is let go."""

    target = end_point_target()

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()
        self.casts = 0

    def ask(self, ctxt: RequestContext) -> str:
        self.entered.release()
        assert self.release.wait(WAIT_S)
        return 'answer'

    def tell(self, ctxt: RequestContext) -> None:
        self.casts += 1


class Client(RpcClient):
    """Its client."""

    def ask(self) -> Any:
        return self._call(service_context(), 'ask')

    def tell(self) -> None:
        self._cast(service_context(), 'tell')


@pytest.fixture
def bus() -> Iterator[tuple[Slow, Client, Any]]:
    """An end-point behind a server that holds two messages, and a client."""
    cfg.CONF([], project='test')
    transport = get_transport(cfg.CONF, f'inproc://{uuid.uuid4()}')
    end_point = Slow()
    server = get_server(transport, 'topic', 'host', [end_point], max_held=2)
    server.start()
    yield end_point, Client(transport, 'topic', timeout_s=WAIT_S, cast_retry=0), server
    end_point.release.set()
    server.stop()
    server.wait()


def test_beyond_its_bound_a_server_answers_busy_and_drops_casts(bus: tuple[Slow, Client, Any]) -> None:
    end_point, client, server = bus
    answers: list[str] = []
    callers = [threading.Thread(target=lambda: answers.append(client.ask())) for _ in range(2)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert end_point.entered.acquire(timeout=WAIT_S)
    with pytest.raises(exceptions.ServiceBusy, match='2 messages are held already'):
        client.ask()
    client.tell()
    assert server.held == 2

    end_point.release.set()
    for caller in callers:
        caller.join(WAIT_S)
    assert answers == ['answer', 'answer']
    assert end_point.casts == 0
    assert client.ask() == 'answer'  # there is room again
