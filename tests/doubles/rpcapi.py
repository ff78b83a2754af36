"""The clients of the scheduler and agents, without a bus: they remember what was sent, or refuse like a dead bus."""

import threading

from cloudplane.context import RequestContext
from cloudplane.exceptions import ServiceUnavailable
from cloudplane.objects.host import HostChanges
from cloudplane.objects.operation import BuildSpec, WorkOrder
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI


class RecordingScheduler(SchedulerAPI):
    """Keeps build specs and host changes in the order in which they were sent."""

    def __init__(self) -> None:
        self.builds: list[BuildSpec] = []
        self.messages: list[tuple[BuildSpec, ...]] = []  # one item for each message
        self.changes: list[HostChanges] = []
        self.unreachable = False
        self.fails_once = False  # with an error that nobody expects
        self.woken = threading.Semaphore(0)  # released with each wake-up
        self.heard = threading.Semaphore(0)  # released with each change of hosts

    def build(self, ctxt: RequestContext, specs: tuple[BuildSpec, ...]) -> None:
        """A scheduler is woken."""
        self._refuse()
        self.builds += specs
        self.messages.append(specs)
        self.woken.release()
        if self.fails_once:
            self.fails_once = False
            raise RuntimeError('nobody expects this')

    def hosts_changed(self, ctxt: RequestContext, changes: HostChanges) -> None:
        """All schedulers hear of hosts."""
        self._refuse()
        self.changes.append(changes)
        self.heard.release()

    def _refuse(self) -> None:
        if self.unreachable:
            raise ServiceUnavailable('the bus is away')


class RecordingCompute(ComputeAPI):
    """Keeps work orders in the order in which they were sent."""

    def __init__(self) -> None:
        self.orders: list[WorkOrder] = []
        self.request_ids: list[str] = []
        self.unreachable = False

    def work(self, ctxt: RequestContext, order: WorkOrder) -> None:
        """An agent is given work."""
        if self.unreachable:
            raise ServiceUnavailable('the bus is away')
        self.orders.append(order)
        self.request_ids.append(ctxt.request_id)

    def console_log(self, ctxt: RequestContext, host: str, server_id: str, lines: int | None) -> str:
        """Nothing has been said."""
        return ''
