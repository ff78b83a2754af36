"""The agent's client: work orders, and questions to one host."""

from typing import Any, cast

from cloudplane.context import RequestContext
from cloudplane.objects.operation import WorkOrder
from cloudplane.rpc.transport import COMPUTE_TOPIC, RpcClient


class ComputeAPI(RpcClient):
    """Messages to the agent of one host."""

    def __init__(self, transport: Any, *, timeout_s: float = 30, cast_retry: int = 2) -> None:
        super().__init__(transport, COMPUTE_TOPIC, timeout_s=timeout_s, cast_retry=cast_retry)

    def work(self, ctxt: RequestContext, order: WorkOrder) -> None:
        """Cast: do this. Lost: the reconciler sends it again."""
        self._cast(ctxt, 'work', server=order.host, order=order)

    def console_log(self, ctxt: RequestContext, host: str, server_id: str, lines: int | None) -> str:
        """Call: the last lines of a guest's console. ServiceUnavailable if the host does not answer."""
        return cast(str, self._call(ctxt, 'console_log', server=host, server_id=server_id, lines=lines))
