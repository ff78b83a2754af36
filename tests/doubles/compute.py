"""Agents that only remember their orders, and have a console to show."""

from cloudplane.context import RequestContext
from cloudplane.exceptions import CloudplaneException
from cloudplane.objects.operation import WorkOrder
from cloudplane.rpcapi.compute import ComputeAPI


class FakeCompute(ComputeAPI):
    """`console`: what guests have printed, as lines. `error`: what asking for it raises."""

    def __init__(self) -> None:
        self.orders: list[WorkOrder] = []
        self.console = ['Linux version 6.1', 'cloudplane-guest ready', 'login:']
        self.error: CloudplaneException | None = None

    def work(self, ctxt: RequestContext, order: WorkOrder) -> None:
        self.orders.append(order)

    def console_log(self, ctxt: RequestContext, host: str, server_id: str, lines: int | None) -> str:
        if self.error is not None:
            raise self.error
        shown = self.console if lines is None else self.console[len(self.console) - lines :]
        return '\n'.join(shown)
