"""Where wake-ups wait while the scheduler decides: what has come meanwhile is the next batch.

The broker bounds nothing, because messages are acknowledged when they are read; so this does. What is dropped here is
not lost: it is a row in the database, and the conductor's reconciler sends it again.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from cloudplane.context import RequestContext
from cloudplane.objects.operation import BuildSpec

LOG = logging.getLogger(__name__)

# A batch takes whole wake-ups until it has so many servers: large enough to save messages, small enough that the
# conductor can begin to claim while the next batch is decided.
BATCH = 64

_Key = tuple[str, int, tuple[int, ...]]


class WakeUp(NamedTuple):
    """One message: the servers of one request, or what a reconciler found."""

    ctxt: RequestContext
    specs: tuple[BuildSpec, ...]


class Intake:
    """A bounded queue of wake-ups; any number of threads offer, one takes. Closed until it is opened."""

    def __init__(self, max_held: int) -> None:
        self._max_held = max_held
        self._held: set[_Key] = set()  # waiting, or being decided
        self._waiting: deque[WakeUp] = deque()
        self._condition = threading.Condition()
        self._open = self._closing = False

    def open(self) -> None:
        """Give out what has come: the host table is loaded."""
        with self._condition:
            self._open = True
            self._condition.notify_all()

    def close(self) -> None:
        """Give out nothing more."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()

    def offer(self, ctxt: RequestContext, specs: Sequence[BuildSpec]) -> None:
        """Keep those specs that are new, as far as there is room."""
        with self._condition:
            new = tuple({_key(spec): spec for spec in specs if _key(spec) not in self._held}.values())
            kept = new[: max(0, self._max_held - len(self._held))]
            if kept:
                self._held.update(map(_key, kept))
                self._waiting.append(WakeUp(ctxt, kept))
                self._condition.notify_all()
        if len(kept) < len(new):
            LOG.warning(
                'Dropped %d builds: %d wait here, which is all that max_held allows; the reconciler sends them again',
                len(new) - len(kept),
                self._max_held,
            )

    def take(self) -> list[WakeUp] | None:
        """The next batch, waited for; None once the intake is closed. `done` follows."""
        with self._condition:
            self._condition.wait_for(lambda: self._closing or (self._open and self._waiting))
            if self._closing:
                return None
            batch: list[WakeUp] = []
            while self._waiting and sum(len(wake_up.specs) for wake_up in batch) < BATCH:
                batch.append(self._waiting.popleft())
            return batch

    def done(self, batch: Sequence[WakeUp]) -> None:
        """The batch was decided; the same spec may come again."""
        with self._condition:
            self._held.difference_update(_key(spec) for wake_up in batch for spec in wake_up.specs)


def _key(spec: BuildSpec) -> _Key:
    """What makes a spec another one: a later attempt, or one more host that is excluded."""
    return spec.operation_id, spec.attempt, spec.excluded_hosts
