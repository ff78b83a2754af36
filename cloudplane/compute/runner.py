"""One runner per server: what works on a guest, works on it alone.

Orders, and wishes of the conductor, go to the runner of their server, which has a thread while it has something to do.
An order for what already runs only raises its attempt; a newer one ends what runs, waits for its present step, and
comes next. Builds and snapshots are limited; what waits for its turn has no thread, and never stands before a
delete. The intake is bounded: what is too much is dropped with a line in the log, and the reconciler sends it again.
"""

import collections
import logging
import threading
import time
from collections.abc import Callable

from cloudplane import states
from cloudplane.compute.converge import Wish
from cloudplane.compute.fence import Fence, Key, key_of
from cloudplane.compute.job import STOPPING, Job
from cloudplane.compute.lanes import Lanes
from cloudplane.compute.settings import AgentSettings
from cloudplane.compute.slot import Errand, Slot
from cloudplane.objects.operation import FinishReport, HeldOperation, Refusal, WorkOrder

LOG = logging.getLogger(__name__)

MAX_KNOWN_REPORTS = 1000
LAST_MOMENT_S = 1.0  # what a cancelled step gets when the agent stops

Execute = Callable[[Job], FinishReport | None]
Fulfil = Callable[[Wish, threading.Event], None]


class Runners:
    """The runners of all servers. `execute` does a job, `fulfil` makes a guest as wished; both in a runner's thread."""

    def __init__(self, fence: Fence, execute: Execute, fulfil: Fulfil, settings: AgentSettings) -> None:
        self._fence, self._execute, self._fulfil, self._settings = fence, execute, fulfil, settings
        self._changed = threading.Condition()
        self._slots: dict[str, Slot] = {}
        self._lanes = Lanes(
            {states.BUILD: settings.max_concurrent_builds, states.SNAPSHOT: settings.max_concurrent_snapshots}
        )
        self._known: collections.OrderedDict[str, tuple[Key, FinishReport]] = collections.OrderedDict()
        self._open = False
        self._closed = False

    # What comes in

    def open(self) -> None:
        """The agent has registered, and has destroyed what it was told to: orders may run."""
        with self._changed:
            self._open = True
            for slot in list(self._slots.values()):
                self._dispatch(slot)

    def submit(self, order: WorkOrder) -> None:
        """Take an order in, unless it is too late or too much."""
        with self._changed:
            slot = self._slots.get(order.server_id) or Slot(order.server_id)
            if self._closed or (slot.next is None and slot.current is None and self._is_full()):
                LOG.warning('Dropped %s; the conductor will send it again', _what(order))
                return
            placed = slot.place(order, self._fence)
            if placed == 'next':
                self._slots[order.server_id] = slot
                self._dispatch(slot)
        if placed == 'raised':
            self._fence.raise_attempt(order)
        elif placed == 'late':
            LOG.info('Refused %s: a newer order was seen', _what(order))

    def wish(self, wish: Wish) -> Errand:
        """Have a guest made as wished, when nothing else works on it."""
        with self._changed:
            slot = self._slots.setdefault(wish.server_id, Slot(wish.server_id))
            errand = slot.wish(wish)
            self._dispatch(slot)
            return errand

    def refuse(self, refusal: Refusal) -> None:
        """The conductor does not want this operation to be finished."""
        with self._changed:
            slot = self._slots.get(refusal.server_id)
            sequence = slot.refuse(refusal) if slot is not None else None
        if sequence is not None:
            LOG.warning('Operation %s is refused: %s', refusal.operation_id, refusal.reason)
            why = f'its operation was refused: {refusal.reason}'
            self.wish(Wish(server_id=refusal.server_id, sequence=sequence, wanted=refusal.wanted, why=why))

    def _is_full(self) -> bool:
        return len(self._slots) >= self._settings.max_held

    # What is held

    def held(self) -> tuple[HeldOperation, ...]:
        """All operations here that have not ended."""
        with self._changed:
            return tuple(held for slot in self._slots.values() for held in slot.held())

    def holds(self, server_id: str) -> bool:
        """Whether anything is done or waits to be done for a server."""
        with self._changed:
            return server_id in self._slots

    # The threads

    def _dispatch(self, slot: Slot) -> None:
        """Give a slot a thread if it has something to do."""
        if not slot.has_thread and not self._closed and (slot.errands or self._may_run(slot)):
            slot.has_thread = True
            threading.Thread(target=self._work, args=(slot,), name=f'server {slot.server_id}', daemon=True).start()

    def _may_run(self, slot: Slot) -> bool:
        """Whether the next order may run now; it then has its place."""
        if slot.next is None or not self._open:
            return False
        if slot.lane != slot.next.kind:
            self._give_back(slot)
            if not self._lanes.enter(slot.next.kind, slot.server_id):
                return False
            slot.lane = slot.next.kind
        return True

    def _give_back(self, slot: Slot) -> None:
        """Give the slot's place to those who wait for it."""
        if slot.lane is None:
            return
        kind, slot.lane = slot.lane, None
        self._lanes.leave(kind)
        while (waiting := self._lanes.next_waiting(kind)) is not None:
            if waiting in self._slots:
                self._dispatch(self._slots[waiting])

    def _work(self, slot: Slot) -> None:
        while (task := self._take(slot)) is not None:
            if isinstance(task, Errand):
                self._run_errand(task)
            else:
                self._run_job(task)
                self._await_stuck(slot, task)

    def _take(self, slot: Slot) -> Job | Errand | None:
        """What the slot does next; None: its thread ends."""
        with self._changed:
            if slot.job is not None:
                self._give_back(slot)
            slot.current = None if self._closed else slot.take_errand()
            if slot.current is None and not self._closed and self._may_run(slot):
                slot.current = self._job(slot)
            if slot.current is None:
                self._rest(slot)
            return slot.current

    def _rest(self, slot: Slot) -> None:
        """The slot has nothing to do, or waits for a place."""
        slot.has_thread = False
        if slot.next is None:
            self._give_back(slot)
            del self._slots[slot.server_id]
        self._changed.notify_all()

    def _job(self, slot: Slot) -> Job:
        assert slot.next is not None
        order, slot.next = slot.next, None
        key, report = self._known.get(slot.server_id, (None, None))
        return Job(order, report if key == key_of(order) else None)

    def _run_job(self, job: Job) -> None:
        try:
            report = self._execute(job)
        except Exception:
            LOG.exception('%s ended unexpectedly; the conductor will send it again', _what(job.order))
            return
        if report is not None:
            with self._changed:
                self._known[job.order.server_id] = ((job.order.sequence, report.attempt), report)
                self._known.move_to_end(job.order.server_id)
                if len(self._known) > MAX_KNOWN_REPORTS:
                    self._known.popitem(last=False)

    def _run_errand(self, errand: Errand) -> None:
        cancelled = threading.Event()
        try:
            with errand.watch(cancelled):
                self._fulfil(errand.wish, cancelled)
        except Exception:
            LOG.exception('Server %s could not be made %s', errand.wish.server_id, errand.wish.wanted)
        finally:
            errand.done.set()

    def _await_stuck(self, slot: Slot, job: Job) -> None:
        """Leave the guest alone until the call that was left behind has come back. Others may have the place."""
        if job.stuck is None or job.stuck.done():
            return
        LOG.error('Server %s is left alone until its hypervisor answers', slot.server_id)
        with self._changed:
            self._give_back(slot)
        back = threading.Event()
        job.stuck.add_done_callback(lambda _future: back.set())
        back.wait()
        LOG.warning('The hypervisor has answered for server %s', slot.server_id)

    # The end

    def stop(self, drain_s: float) -> bool:
        """Take in nothing more; let the present steps end for `drain_s`, then cancel them. Whether all has ended."""
        with self._changed:
            self._closed = True
            for job in self._jobs():
                job.leave()
            ended = self._idle_within(drain_s)
            for slot in self._slots.values():
                if slot.current is not None:
                    slot.current.cancel(STOPPING)
            return ended or self._idle_within(LAST_MOMENT_S)

    def _jobs(self) -> list[Job]:
        return [slot.job for slot in self._slots.values() if slot.job is not None]

    def _idle_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while any(slot.has_thread for slot in self._slots.values()):
            if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                return False
        return True


def _what(order: WorkOrder) -> str:
    return f'{order.kind} {order.operation_id} ({order.sequence}, {order.attempt}) of server {order.server_id}'
