"""The scheduler's end-points: what rpcapi/scheduler.py sends arrives here, and is handed on at once."""

from cloudplane.context import RequestContext
from cloudplane.objects.host import HostChanges
from cloudplane.objects.operation import BuildSpec
from cloudplane.rpc.transport import end_point_target
from cloudplane.scheduler.feed import Feed
from cloudplane.scheduler.intake import Intake


class SchedulerManager:
    """Every method may be called twice for the same thing."""

    target = end_point_target()

    def __init__(self, intake: Intake, feed: Feed) -> None:
        self._intake, self._feed = intake, feed

    def build(self, ctxt: RequestContext, specs: tuple[BuildSpec, ...]) -> None:
        """Place these servers; the answer is the conductor's `claim`."""
        self._intake.offer(ctxt, specs)

    def hosts_changed(self, ctxt: RequestContext, changes: HostChanges) -> None:
        """Rows of the host table have changed, or claims have ended."""
        self._feed.apply(changes)
