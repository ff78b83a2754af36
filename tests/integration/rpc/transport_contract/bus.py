"""A bus under test: servers, clients and a recording end-point on one transport URL."""

import queue
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import Target
from oslo_messaging.rpc.server import RPCServer

from cloudplane import concurrency
from tests.integration.rpc.transport_contract import failures

PATIENCE_S = 20
"""How long a test waits for what must come."""


class QuickServer(RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """An RPC server that stops at once: oslo.messaging's thread pool takes up to a second for it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if concurrency.active_backend() == 'threading':
            self._executor_cls = ThreadPoolExecutor


class Recorder:
    """An end-point that remembers what reached it and answers with its own name."""

    def __init__(self, name: str = 'a') -> None:
        self.name = name
        self.heard: queue.Queue[Any] = queue.Queue()

    def note(self, context: dict[str, Any], value: Any = None) -> str:
        self.heard.put(value)
        return self.name

    def next(self) -> Any:
        """The next thing it hears."""
        return self.heard.get(timeout=PATIENCE_S)

    def all(self) -> list[Any]:
        """What it has heard and nobody has taken."""
        return [self.heard.get_nowait() for _ in range(self.heard.qsize())]


class Bus:
    """One transport URL, a topic that nobody else uses, and everything that has to be closed at the end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.topic = f'topic-{uuid.uuid4().hex}'
        self._transports = ExitStack()
        self._servers: list[Any] = []
        self.transport = self.new_transport()

    def new_transport(self) -> Any:
        """Another connection to the same bus."""
        transport = oslo_messaging.get_rpc_transport(cfg.CONF, self.url, allowed_remote_exmods=[failures.__name__])
        self._transports.callback(transport.cleanup)
        return transport

    def serve(self, endpoint: object, server: str = 'a', topic: str | None = None) -> Any:
        """Start a server."""
        target = Target(topic=topic or self.topic, server=server)
        started = oslo_messaging.get_rpc_server(self.transport, target, [endpoint], server_cls=QuickServer)
        started.start()
        self._servers.append(started)
        return started

    def client(self, transport: Any = None, topic: str | None = None, **options: Any) -> Any:
        """A client of the topic."""
        options = {'timeout': PATIENCE_S} | options
        target = Target(topic=topic or self.topic)
        return oslo_messaging.get_rpc_client(transport or self.transport, target, **options)

    def close(self) -> None:
        """Stop what was started, side by side: each of RabbitMQ's listeners takes a while."""
        stopping = [threading.Thread(target=finish, args=(server,)) for server in self._servers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        self._transports.close()


def finish(server: Any) -> None:
    """Stop a server and wait until all that it had taken is done."""
    server.stop()
    server.wait()


class Aside(threading.Thread):
    """A function that runs in another thread; `result` waits for what it returns, or raises what it raised."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        super().__init__(daemon=True)
        self._call = partial(function, *arguments, **options)
        self._outcome: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()
        self.start()

    def run(self) -> None:
        try:
            self._outcome.put((self._call(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the test
            self._outcome.put((None, error))

    def result(self) -> Any:
        value, error = self._outcome.get(timeout=PATIENCE_S)
        if error is not None:
            raise error
        return value
