"""Tells schedulers and agents that there is work, without making a client wait for the broker.

What has been accepted is in the database already, so a wake-up is only a hint: one that cannot be sent, or for which
there is no room, is logged and forgotten, and the conductor's reconciler does it a few seconds later.
"""

import functools
import logging
import queue
import threading
from collections.abc import Callable

from cloudplane.context import RequestContext
from cloudplane.objects.operation import BuildSpec, WorkOrder
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI

LOG = logging.getLogger(__name__)

LIMIT = 1000


class WakeUps:
    """A bounded queue and the thread that sends from it."""

    def __init__(self, scheduler: SchedulerAPI, compute: ComputeAPI, *, limit: int = LIMIT) -> None:
        self._scheduler, self._compute = scheduler, compute
        self._queue: queue.Queue[tuple[str, Callable[[], None]] | None] = queue.Queue(limit)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._send_all, name='api-wakeups', daemon=True)
        self._thread.start()

    def build(self, ctxt: RequestContext, specs: tuple[BuildSpec, ...]) -> None:
        """Ask a scheduler to place these servers. Never blocks."""
        self._put(f'build of {len(specs)} servers', functools.partial(self._scheduler.build, ctxt, specs))

    def work(self, ctxt: RequestContext, order: WorkOrder) -> None:
        """Tell an agent of an operation. Never blocks."""
        self._put(f'{order.kind} {order.operation_id}', functools.partial(self._compute.work, ctxt, order))

    def stop(self, drain_s: float) -> None:
        """Send what waits, for at most `drain_s`."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=drain_s)
        except queue.Full:
            LOG.warning('%d wake-ups were not sent before the stop; the reconciler does them', self._queue.qsize())
            return
        self._thread.join(drain_s)

    def _put(self, what: str, send: Callable[[], None]) -> None:
        try:
            self._queue.put_nowait((what, send))
        except queue.Full:
            LOG.warning('No room for the wake-up for %s; the reconciler does it', what)

    def _send_all(self) -> None:
        while (job := self._queue.get()) is not None:
            what, send = job
            try:
                send()
            except Exception as error:  # noqa: BLE001 - whatever the bus says, the next wake-up must be sent
                LOG.warning('Could not send the wake-up for %s; the reconciler does it: %s', what, error)
