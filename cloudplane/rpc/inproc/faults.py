"""Hooks for tests that break the bus: what an interceptor sees, and what it may order.

An interceptor is set on a broker and is asked once for each copy of a message on its last step: after the broker chose
the receiver, before the receiver gets it. It runs in the sender's thread. What it raises is raised in the sender, so
`raise MessageDeliveryFailure(…)` plays a broker that cannot be reached. Without an interceptor nothing of this is run.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal['call', 'cast', 'reply', 'heartbeat']


@dataclass(frozen=True, slots=True)
class Message:
    """One copy of a message on its way."""

    kind: Kind
    exchange: str
    topic: str
    server: str
    """The server that receives the request; for a reply or heartbeat, the one that sends it."""
    method: str
    """The method of the request, also for its reply."""
    fanout: bool
    wire: str = field(repr=False)
    """The JSON text that travels: `{"context", "message"}`, or `{"result", "failure"}` for a reply."""
    hand_over: Callable[[], object] = field(repr=False, compare=False)
    """Delivers the message now, unasked; for a test that answered DROP to hold it until the time has come."""

    @property
    def body(self) -> Any:
        """What travels, decoded."""
        return json.loads(self.wire)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message: so many copies, so much later."""

    copies: int = 1
    delay_s: float = 0.0


DELIVER = Verdict()
DROP = Verdict(copies=0)
DUPLICATE = Verdict(copies=2)

Interceptor = Callable[[Message], Verdict]


def delay(seconds: float) -> Verdict:
    """Deliver the message after `seconds`; it is dropped if its receiver has stopped by then."""
    return Verdict(delay_s=seconds)


def carry(message: Message, interceptor: Interceptor) -> None:
    """Ask the interceptor about the message and do what it says."""
    verdict = interceptor(message)
    for _ in range(verdict.copies):
        if verdict.delay_s > 0:
            timer = threading.Timer(verdict.delay_s, message.hand_over)
            timer.daemon = True
            timer.start()
        else:
            message.hand_over()
