"""The bus, as the services see it: a transport, servers with end-points, and the base of the clients in rpcapi/."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import oslo_messaging
from oslo_config import cfg

from cloudplane import exceptions
from cloudplane.context import RequestContext
from cloudplane.rpc.serializer import RecordSerializer
from cloudplane.rpc.server import MAX_HELD, BoundedServer

F = TypeVar('F', bound=Callable[..., Any])

# Exceptions of these modules arrive as what they were; any other arrives as oslo_messaging.RemoteError.
REMOTE_EXCEPTION_MODULES = ['cloudplane.exceptions', 'cloudplane.images.errors']

CONDUCTOR_TOPIC = 'cloudplane.conductor'
SCHEDULER_TOPIC = 'cloudplane.scheduler'
COMPUTE_TOPIC = 'cloudplane.compute'

# Anything else that oslo.messaging raises while it sends means that the bus cannot be reached.
UNREACHABLE = (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure)


def get_transport(conf: cfg.ConfigOpts, url: str | None = None) -> Any:
    """The RPC transport of `[DEFAULT] transport_url`, or of `url`."""
    return oslo_messaging.get_rpc_transport(conf, url=url, allowed_remote_exmods=REMOTE_EXCEPTION_MODULES)


def get_server(
    transport: Any, topic: str, server: str, endpoints: Sequence[object], *, max_held: int = MAX_HELD
) -> Any:
    """An RPC server for `topic` on `server`, not started yet; it holds `max_held` messages at most."""
    dispatcher = oslo_messaging.RPCDispatcher(
        list(endpoints), RecordSerializer(), oslo_messaging.DefaultRPCAccessPolicy
    )
    return BoundedServer(transport, oslo_messaging.Target(topic=topic, server=server), dispatcher, max_held)


class RpcClient:
    """The client half of one service. Subclasses in rpcapi/ have one method for each end-point method."""

    def __init__(self, transport: Any, topic: str, *, timeout_s: float, cast_retry: int, version: str = '1.0') -> None:
        target = oslo_messaging.Target(topic=topic, version=version)
        self._client = oslo_messaging.get_rpc_client(
            transport, target, timeout=timeout_s, retry=cast_retry, serializer=RecordSerializer()
        )
        self._topic = topic

    def _call(self, ctxt: RequestContext, method: str, *, server: str | None = None, **arguments: Any) -> Any:
        """Ask, and wait for the answer. Raises ServiceUnavailable if none came in time."""
        client = self._client.prepare(server=server) if server else self._client
        try:
            return client.call(ctxt, method, **arguments)
        except UNREACHABLE as error:
            where = f'{self._topic} on {server}' if server else self._topic
            raise exceptions.ServiceUnavailable(f'{where} did not answer {method}: {error}') from error

    def _cast(
        self, ctxt: RequestContext, method: str, *, server: str | None = None, fanout: bool = False, **arguments: Any
    ) -> None:
        """Send and forget. Raises ServiceUnavailable if the bus did not take it after the bounded retries."""
        client = self._client.prepare(server=server, fanout=fanout) if server or fanout else self._client
        try:
            client.cast(ctxt, method, **arguments)
        except UNREACHABLE as error:
            raise exceptions.ServiceUnavailable(f'could not send {method} to {self._topic}: {error}') from error


def end_point_target(version: str = '1.0') -> Any:
    """The `target` attribute of an end-point class: the version of its methods."""
    return oslo_messaging.Target(version=version)


def expected(*kinds: type[Exception]) -> Callable[[F], F]:
    """Mark an end-point method whose `kinds` of exception are answers, not faults to be logged."""
    mark = oslo_messaging.expected_exceptions(*kinds)

    def marked(method: F) -> F:
        return cast(F, functools.wraps(method)(mark(method)))  # oslo.messaging's own hides name and parameters

    return marked
