"""A scheduler that only remembers what it was asked to build."""

import threading

from cloudplane.context import RequestContext
from cloudplane.objects.operation import BuildSpec
from cloudplane.rpcapi.scheduler import SchedulerAPI


class FakeScheduler(SchedulerAPI):
    """`error`: what sending raises. Clear `open` to hold the sender up, as a broker that does not answer would."""

    def __init__(self) -> None:
        self.built: list[tuple[RequestContext, tuple[BuildSpec, ...]]] = []
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def build(self, ctxt: RequestContext, specs: tuple[BuildSpec, ...]) -> None:
        self.open.wait(30)
        if self.error is not None:
            raise self.error
        self.built.append((ctxt, specs))
