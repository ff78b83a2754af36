"""The agent's RPC end-points. Thin: an order goes to its runner, a question to the driver."""

import logging
import threading

from cloudplane import exceptions
from cloudplane.compute.fence import is_safe_id
from cloudplane.compute.runner import Runners
from cloudplane.compute.virt.driver import Driver
from cloudplane.context import RequestContext
from cloudplane.objects.operation import WorkOrder
from cloudplane.rpc.transport import end_point_target, expected

LOG = logging.getLogger(__name__)


class ComputeManager:
    """What other services may ask of one host; see rpcapi/compute.py."""

    target = end_point_target()

    def __init__(self, host: str, runners: Runners, driver: Driver, *, max_console_reads: int) -> None:
        self._host, self._runners, self._driver = host, runners, driver
        self._console_places = threading.Semaphore(max_console_reads)

    def work(self, ctxt: RequestContext, order: WorkOrder) -> None:
        """Do this. Whoever sends it does not wait for more than its place in the queue."""
        if order.host != self._host or not is_safe_id(order.server_id):
            LOG.error(
                'An order for server %r on host %r came to %s; it is ignored', order.server_id, order.host, self._host
            )
            return
        self._runners.submit(order)

    @expected(exceptions.GuestError, exceptions.NotImplementedHere, exceptions.ServiceBusy)
    def console_log(self, ctxt: RequestContext, server_id: str, lines: int | None) -> str:
        """The last lines of a guest's console. ServiceBusy if many read already."""
        if not is_safe_id(server_id):
            raise exceptions.GuestNotFound
        if not self._console_places.acquire(blocking=False):
            raise exceptions.ServiceBusy(f'Many consoles of host {self._host} are being read; try again later.')
        try:
            return self._driver.console_log(server_id, lines)
        finally:
            self._console_places.release()
