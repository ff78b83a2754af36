"""Who listens where: the addresses of one broker, and the way of a message to its receiver.

The sender's own thread hands a message to its receiver, so that nothing polls and nothing is queued here.
"""

import itertools
import os
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from oslo_messaging import MessageDeliveryFailure

from cloudplane.rpc.inproc.calls import PendingCall
from cloudplane.rpc.inproc.faults import Interceptor, Message, carry


@dataclass(frozen=True, slots=True)
class Request:
    """A message as it is sent."""

    exchange: str
    topic: str
    server: str | None
    fanout: bool
    method: str
    wire: str
    id: str
    call: PendingCall | None = None
    """Where the reply goes; None for a cast."""
    monitor_s: float | None = None
    """How often the caller wants to hear that the work goes on."""


class Receiver(Protocol):
    """A listener as the broker sees it."""

    exchange: str
    topic: str
    server: str

    def accept(self, request: Request) -> bool:
        """Take the message; False if it has stopped."""


@dataclass(slots=True)
class _Address:
    """The receivers of one address. The tuple is replaced, never changed, so that senders need no lock."""

    receivers: tuple[Receiver, ...] = ()
    turn: 'itertools.count[int]' = field(default_factory=itertools.count)

    def next(self) -> Receiver | None:
        receivers = self.receivers
        return receivers[next(self.turn) % len(receivers)] if receivers else None


class Broker:
    """The exchanges of one `inproc://NAME`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.interceptor: Interceptor | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._addresses: dict[tuple[str, str, str | None], _Address] = {}

    def subscribe(self, receiver: Receiver) -> None:
        """Send the receiver what comes for its server, its share of its topic, and the topic's fanout."""
        with self._lock:
            for key in _keys(receiver):
                address = self._addresses.setdefault(key, _Address())
                address.receivers = (*address.receivers, receiver)

    def unsubscribe(self, receiver: Receiver) -> None:
        """Send it nothing more."""
        with self._lock:
            for key in _keys(receiver):
                address = self._addresses.get(key, _Address())
                address.receivers = tuple(other for other in address.receivers if other is not receiver)
                if not address.receivers:
                    self._addresses.pop(key, None)

    def publish(self, request: Request) -> bool:
        """Hand the message to its receivers; False when nobody listens."""
        if os.getpid() != self._pid:
            raise MessageDeliveryFailure('inproc:// does not reach other processes, and this one was forked off')
        address = self._addresses.get((request.exchange, request.topic, None if request.fanout else request.server))
        if address is None:
            return False
        if request.fanout:
            return sum(self._hand_over(request, receiver) for receiver in address.receivers) > 0
        while (receiver := address.next()) is not None:
            if self._hand_over(request, receiver):
                return True
        return False

    def _hand_over(self, request: Request, receiver: Receiver) -> bool:
        """Give one receiver the message; False if it has stopped, which has also unsubscribed it."""
        if self.interceptor is None:
            return receiver.accept(request)
        message = Message(
            kind='cast' if request.call is None else 'call',
            exchange=request.exchange,
            topic=request.topic,
            server=receiver.server,
            method=request.method,
            fanout=request.fanout,
            wire=request.wire,
            hand_over=partial(receiver.accept, request),
        )
        carry(message, self.interceptor)
        return True


def _keys(receiver: Receiver) -> tuple[tuple[str, str, str | None], ...]:
    return (receiver.exchange, receiver.topic, None), (receiver.exchange, receiver.topic, receiver.server)


_brokers: dict[str, Broker] = {}
_brokers_lock = threading.Lock()


def broker(name: str) -> Broker:
    """The broker of `inproc://NAME` in this process; made when it is first asked for."""
    with _brokers_lock:
        return _brokers.setdefault(name, Broker(name))
