"""The runner of one server, as data: what it does now, and what comes next. The rules are here, the threads are not."""

import collections
import threading
from typing import Literal

from cloudplane import states
from cloudplane.compute.converge import Wish
from cloudplane.compute.fence import Fence, key_of
from cloudplane.compute.job import REFUSED, SUPERSEDED, Ending, Job
from cloudplane.objects.operation import HeldOperation, Refusal, Verdict, WorkOrder

Placed = Literal['raised', 'late', 'next']


class Errand(Ending):
    """A wish in the runner of its server. `done` is set when it was tried, or is of no account any more."""

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.wish = wish
        self.done = threading.Event()


class Slot:
    """All methods are called under the lock of the runners."""

    def __init__(self, server_id: str) -> None:
        self.server_id = server_id
        self.current: Job | Errand | None = None
        self.next: WorkOrder | None = None
        self.errands: collections.deque[Errand] = collections.deque()
        self.has_thread = False
        self.lane: str | None = None  # the kind of operation for which it has a place

    @property
    def job(self) -> Job | None:
        """The job that runs."""
        return self.current if isinstance(self.current, Job) else None

    def place(self, order: WorkOrder, fence: Fence) -> Placed:
        """Put an order where it belongs: it raises what runs, comes next, or comes too late."""
        job = self.job
        if job is not None and job.order.operation_id == order.operation_id and job.raise_attempt(order.attempt):
            return 'raised'
        if self._is_late(order, fence):
            return 'late'
        self.next = order
        if job is not None and order.sequence > job.order.sequence:
            job.cancel(SUPERSEDED)
        if isinstance(self.current, Errand) and order.sequence > self.current.wish.sequence:
            self.current.cancel(SUPERSEDED)
        return 'next'

    def _is_late(self, order: WorkOrder, fence: Fence) -> bool:
        key = key_of(order)
        if self.job is not None and key < self.job.key:
            return True
        return fence.refuses(order) or (self.next is not None and key < key_of(self.next))

    def wish(self, wish: Wish) -> Errand:
        """Queue a wish, once."""
        waiting = [*self.errands, *([self.current] if isinstance(self.current, Errand) else [])]
        for errand in waiting:
            if errand.wish == wish:
                return errand
        job = self.job
        if job is not None and wish.wanted == states.WANT_ABSENT and job.order.sequence <= wish.sequence:
            job.cancel(REFUSED)
        self.errands.append(Errand(wish))
        return self.errands[-1]

    def refuse(self, refusal: Refusal) -> int | None:
        """End what the conductor does not want to be finished; its sequence, if that is held here."""
        job = self.job
        if job is not None and not job.ended and _is_refused(refusal, job.order.operation_id, job.attempt):
            job.verdict = Verdict(accepted=False, wanted=refusal.wanted, reason=refusal.reason)
            job.cancel(REFUSED)
            return job.order.sequence
        order = self.next
        if order is not None and _is_refused(refusal, order.operation_id, order.attempt):
            self.next = None
            return order.sequence
        return None

    def take_errand(self) -> Errand | None:
        """The next wish that is not overtaken by an order."""
        while self.errands:
            errand = self.errands.popleft()
            if self.next is None or self.next.sequence <= errand.wish.sequence:
                return errand
            errand.done.set()
        return None

    def held(self) -> list[HeldOperation]:
        """What heartbeats say."""
        held = []
        if self.job is not None and not self.job.ended and not self.job.is_cancelled:
            held.append(self.job.held())
        if self.next is not None:
            held.append(Job(self.next).held())
        return held


def _is_refused(refusal: Refusal, operation_id: str, attempt: int) -> bool:
    return refusal.operation_id == operation_id and attempt <= refusal.attempt
