"""The driver class that oslo.messaging loads for `inproc://NAME`."""

import itertools
import json
from typing import Any, NoReturn

from oslo_messaging import MessageDeliveryFailure, MessageUndeliverable, MessagingTimeout
from oslo_messaging._drivers import base
from oslo_messaging._drivers.common import deserialize_remote_exception
from oslo_serialization import jsonutils

from cloudplane.rpc.inproc.broker import Request, broker
from cloudplane.rpc.inproc.calls import PendingCall
from cloudplane.rpc.inproc.listener import InprocListener

_ids = itertools.count(1)


class WorkersRefused(ValueError):
    """inproc:// was asked to serve more than one process."""


def refuse_workers(workers: int) -> None:
    """Raise WorkersRefused for more than one worker: each would be alone on a bus of its own."""
    if workers > 1:
        raise WorkersRefused(f'inproc:// serves one process, so workers must be 1, not {workers}')


class InprocDriver(base.BaseDriver):  # type: ignore[misc]  # oslo.messaging has no types
    """Sends and listens on the broker that the URL names."""

    def __init__(
        self,
        conf: Any,
        url: Any,
        default_exchange: str | None = None,
        allowed_remote_exmods: list[str] | None = None,
    ) -> None:
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self._broker = broker(_broker_name(url))
        self._closed = False
        self._listeners: list[InprocListener] = []
        self._waiting: set[PendingCall] = set()

    def send(
        self,
        target: Any,
        ctxt: Any,
        message: dict[str, Any],
        wait_for_reply: bool | None = None,
        timeout: float | None = None,
        call_monitor_timeout: float | None = None,
        retry: int | None = None,
        transport_options: Any = None,
    ) -> Any:
        """Deliver the message and, for a call, wait for the reply. There is nothing to retry: delivery is a call."""
        call = PendingCall() if wait_for_reply else None
        request = self._request(target, ctxt, message, call, call_monitor_timeout)
        if call is None:
            self._publish(request, transport_options)
            return None
        self._waiting.add(call)
        try:
            self._publish(request, transport_options)
            wire = call.wait(timeout, call_monitor_timeout)
        except MessagingTimeout as error:
            where = f'{request.topic} on {request.server}' if request.server else request.topic
            raise MessagingTimeout(f'{request.method} on {where}: {error}') from None
        finally:
            self._waiting.discard(call)
        return self._result(wire)

    def _request(self, target: Any, ctxt: Any, message: dict[str, Any], call: Any, monitor_s: float | None) -> Request:
        context = ctxt if isinstance(ctxt, dict) else ctxt.to_dict()
        return Request(
            exchange=self._exchange(target),
            topic=target.topic,
            server=target.server,
            fanout=bool(target.fanout),
            method=str(message.get('method', '')),
            wire=jsonutils.dumps({'context': context, 'message': message}),
            id=str(next(_ids)),
            call=call,
            monitor_s=monitor_s,
        )

    def _exchange(self, target: Any) -> str:
        return target.exchange or self._default_exchange or ''

    def _publish(self, request: Request, transport_options: Any) -> None:
        if self._closed:
            raise MessageDeliveryFailure(f'the transport of inproc://{self._broker.name} has been cleaned up')
        heard = self._broker.publish(request)
        if not heard and transport_options is not None and transport_options.at_least_once:
            raise MessageUndeliverable(None, request.exchange, request.topic, request.wire)

    def _result(self, wire: str) -> Any:
        reply = json.loads(wire)
        if reply['failure']:
            raise deserialize_remote_exception(reply['failure'], self._allowed_remote_exmods)
        return reply['result']

    def listen(self, target: Any, batch_size: int, batch_timeout: float | None) -> InprocListener:
        """Subscribe a server: its own address, its share of the topic, the topic's fanout."""
        listener = InprocListener(self._broker, self._exchange(target), target.topic, target.server)
        self._listeners = [*(other for other in self._listeners if not other.stopped), listener]
        return listener

    def send_notification(self, target: Any, ctxt: Any, message: Any, version: float, retry: Any = None) -> NoReturn:
        """Refused: notifications are stored for who may come later, and nothing is stored here."""
        raise NotImplementedError('inproc:// carries RPC only: notifications are not supported')

    def listen_for_notifications(
        self, targets_and_priorities: Any, pool: Any, batch_size: int, batch_timeout: float | None
    ) -> NoReturn:
        """Refused, like sending them."""
        raise NotImplementedError('inproc:// carries RPC only: notifications are not supported')

    def cleanup(self) -> None:
        """Stop what listens through this transport and wake who waits in it."""
        self._closed = True
        for listener in self._listeners:
            listener.cleanup()
        self._listeners.clear()
        for call in list(self._waiting):
            call.abandon('the transport was cleaned up')


def _broker_name(url: Any) -> str:
    """NAME of `inproc://NAME`; `inproc:///NAME` names the same broker."""
    hostname = url.hosts[0].hostname if url.hosts else None
    return '/'.join(part for part in (hostname, url.virtual_host) if part)
