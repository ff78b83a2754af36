"""The receiving half: a server's listener, and the request as oslo.messaging's server sees it."""

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from oslo_messaging._drivers import base
from oslo_messaging._drivers.common import serialize_remote_exception
from oslo_serialization import jsonutils

from cloudplane.rpc.inproc.broker import Broker, Request
from cloudplane.rpc.inproc.calls import PendingCall
from cloudplane.rpc.inproc.faults import Kind, Message, carry

OnIncoming = Callable[[list['IncomingRequest']], object]


class InprocListener(base.Listener):  # type: ignore[misc]  # oslo.messaging has no types
    """What one server receives.

    The sender's thread calls the server's callback, which only puts the message into the server's pool; so there is
    no thread that polls. Each callback carries one message, whatever the batch size.
    """

    def __init__(self, broker: Broker, exchange: str, topic: str, server: str) -> None:
        super().__init__(batch_size=1, batch_timeout=None)
        self.broker, self.exchange, self.topic, self.server = broker, exchange, topic, server
        self._lock = threading.Lock()
        self.stopped = False
        self._early: list[IncomingRequest] = []
        self._unanswered: set[PendingCall] = set()
        broker.subscribe(self)

    def start(self, on_incoming_callback: OnIncoming) -> None:
        """Begin to deliver, with what came since the subscription."""
        with self._lock:
            super().start(on_incoming_callback)
            for incoming in self._early:
                on_incoming_callback([incoming])
            self._early.clear()

    def accept(self, request: Request) -> bool:
        """Deliver the message to the server; False when the listener has stopped."""
        incoming = IncomingRequest(request, self)
        with self._lock:
            if self.stopped:
                return False
            if request.call is not None:
                self._unanswered.add(request.call)
            if self.on_incoming_callback is None:
                self._early.append(incoming)
            else:
                self.on_incoming_callback([incoming])
        return True

    def answered(self, call: PendingCall) -> None:
        """The server has dealt with the call."""
        self._unanswered.discard(call)

    def stop(self) -> None:
        """Receive nothing more. When this returns, no callback runs; what was delivered is the server's to finish."""
        self.broker.unsubscribe(self)
        with self._lock:
            self.stopped = True
            super().stop()

    def cleanup(self) -> None:
        """Wake the callers that the server has left without an answer."""
        self.stop()
        for call in list(self._unanswered):
            call.abandon(f'{self.topic} on {self.server} stopped before it answered')
        self._unanswered.clear()


class IncomingRequest(base.RpcIncomingMessage):  # type: ignore[misc]  # oslo.messaging has no types
    """One request in the hands of a server."""

    def __init__(self, request: Request, listener: InprocListener) -> None:
        body = json.loads(request.wire)
        super().__init__(body['context'], body['message'], request.id)
        self.client_timeout = request.monitor_s
        self._request, self._listener = request, listener

    def requeue(self) -> None:
        """Never asked for: `require_features` refuses it."""
        raise NotImplementedError('inproc:// does not requeue messages')

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Answer the caller. One that cannot be put into JSON is raised here, and the caller is woken empty-handed.

        (Over RabbitMQ that caller would get the same MessagingTimeout, but only when its time is over.)
        """
        call = self._request.call
        if call is None:
            return
        self._listener.answered(call)
        try:
            wire = _reply_wire(reply, failure)
        except (TypeError, ValueError) as error:
            call.abandon(f'the reply to {self._request.method} cannot be serialized: {error}')
            raise
        self._carry('reply', wire, partial(call.answer, wire))

    def heartbeat(self) -> None:
        """Tell the caller that the work goes on."""
        if self._request.call is not None:
            self._carry('heartbeat', '{}', self._request.call.heartbeat)

    def _carry(self, kind: Kind, wire: str, hand_over: Callable[[], object]) -> None:
        interceptor = self._listener.broker.interceptor
        if interceptor is None:
            hand_over()
            return
        request = self._request
        message = Message(
            kind=kind,
            exchange=request.exchange,
            topic=request.topic,
            server=self._listener.server,
            method=request.method,
            fanout=False,
            wire=wire,
            hand_over=hand_over,
        )
        carry(message, interceptor)


def _reply_wire(reply: Any, failure: Any) -> str:
    serialized = serialize_remote_exception(failure) if failure else None
    return str(jsonutils.dumps({'result': reply, 'failure': serialized}))
