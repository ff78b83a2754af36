"""The scheduler's client: wake-ups for builds, and the feed of host changes."""

from typing import Any

from cloudplane.context import RequestContext
from cloudplane.objects.host import HostChanges
from cloudplane.objects.operation import BuildSpec
from cloudplane.rpc.transport import SCHEDULER_TOPIC, RpcClient


class SchedulerAPI(RpcClient):
    """Casts only: a lost one costs latency, never the operation."""

    def __init__(self, transport: Any, *, timeout_s: float = 30, cast_retry: int = 2) -> None:
        super().__init__(transport, SCHEDULER_TOPIC, timeout_s=timeout_s, cast_retry=cast_retry)

    def build(self, ctxt: RequestContext, specs: tuple[BuildSpec, ...]) -> None:
        """Cast to one scheduler: place these servers. It answers with the conductor's `claim`."""
        self._cast(ctxt, 'build', specs=specs)

    def hosts_changed(self, ctxt: RequestContext, changes: HostChanges) -> None:
        """Fanout cast: rows of the host table. A lost one is noticed by its generation."""
        self._cast(ctxt, 'hosts_changed', fanout=True, changes=changes)
