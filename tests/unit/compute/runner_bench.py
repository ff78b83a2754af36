"""Runners whose jobs only note what they did, for the tests of the runners."""

import threading
from pathlib import Path

import msgspec

from cloudplane.compute.converge import Wish
from cloudplane.compute.fence import Fence
from cloudplane.compute.job import Job
from cloudplane.compute.runner import Runners
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import Cancelled
from cloudplane.objects.operation import FinishReport, WorkOrder
from tests.unit.compute.agent import FAST, Gate, eventually


class Bench:
    """Runners whose jobs note what they did, and may be held at a gate."""

    def __init__(self, path: Path, **settings: int) -> None:
        self.fence = Fence(path, pool=BlockingPool('test', 1), tombstone_days=7)
        self.fence.load()
        changed = msgspec.structs.replace(FAST, **settings)
        self.runners = Runners(self.fence, self.execute, self.fulfil, changed)
        self.gates: dict[str, Gate] = {}
        self.done: list[str] = []
        self.jobs: list[Job] = []
        self.together: dict[str, int] = {}
        self.most_together: dict[str, int] = {}
        self._lock = threading.Lock()

    def execute(self, job: Job) -> FinishReport | None:
        """A job: fence, gate, and a report unless it was cancelled."""
        kind, server_id = job.order.kind, job.order.server_id
        self.fence.admit(job.order)
        job.begun = True
        with self._lock:
            self.jobs.append(job)
            self.together[kind] = self.together.get(kind, 0) + 1
            self.most_together[kind] = max(self.most_together.get(kind, 0), self.together[kind])
        if server_id in self.gates:
            self.gates[server_id](job)
        with self._lock:
            self.together[kind] -= 1
        try:
            job.check()
        except Cancelled:
            self.done.append(f'{name(job.order)} {job.why}')
            return None
        job.end(job.attempt)
        self.done.append(f'{name(job.order)}{" again" if job.known_report else ""}')
        return FinishReport(
            operation_id=job.order.operation_id,
            server_id=server_id,
            host='host',
            epoch=1,
            attempt=job.attempt,
            succeeded=True,
        )

    def fulfil(self, wish: Wish, cancelled: threading.Event) -> None:
        """A wish."""
        if wish.server_id in self.gates:
            self.gates[wish.server_id]()
        self.done.append(f'{wish.server_id} {wish.wanted}{" cancelled" if cancelled.is_set() else ""}')

    def gate(self, server_id: str) -> Gate:
        """Hold the jobs of a server."""
        return self.gates.setdefault(server_id, Gate())

    def idle(self) -> None:
        """Wait until nothing is held."""
        eventually(lambda: not self.runners._slots)


def name(given: WorkOrder) -> str:
    return f'{given.server_id} {given.kind} {given.sequence}'
