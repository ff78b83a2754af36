"""An agent with a fake conductor, a fake hypervisor and a fake image store, for the agent's tests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from cloudplane import faultpoints, states
from cloudplane.compute.service import ComputeService
from cloudplane.compute.settings import AgentSettings
from cloudplane.compute.virt.fake import FakeDriver
from cloudplane.compute.virt.fake_settings import FakeSettings
from cloudplane.compute.virt.fake_state import FakeEvent, read_events
from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.context import service_context
from cloudplane.objects.image import Image
from cloudplane.objects.operation import FinishReport, WorkOrder
from cloudplane.rpcapi.conductor import ConductorAPI
from tests.unit.compute.fake_conductor import FakeConductor
from tests.unit.compute.fake_images import FakeBaseImages, FakeImages

HOST = 'host-1'
IMAGE = '11111111-1111-4111-8111-111111111111'
FAST = AgentSettings(
    heartbeat_s=0.05,
    power_sync_s=60,
    start_step_s=5,
    power_off_step_s=5,
    transfer_stall_s=5,
    graceful_stop_s=1,
    soft_reboot_s=1,
    step_grace_s=0.1,
    hypervisor_patience_s=0.3,
    retry_first_s=0.01,
    retry_most_s=0.05,
    power_settle_s=0.01,
    power_retry_s=0.02,
)


class SimulatedKill(BaseException):
    """The agent's process has died here."""


class Line:
    """The way of one agent's process to the conductor: it ends with the process."""

    def __init__(self, conductor: FakeConductor) -> None:
        self._conductor = conductor
        self.dead = False

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._live()
            answer = getattr(self._conductor, method)(*arguments)
            self._live()
            return answer

        return call

    def _live(self) -> None:
        if self.dead:
            raise SimulatedKill


class Agent:
    """One host: what lies on its disk, and the agents that run there one after the other."""

    def __init__(self, path: Path, conductor: FakeConductor, **settings: Any) -> None:
        self.path, self.conductor = path, conductor
        self.settings = msgspec.structs.replace(FAST, **settings)
        self.images = FakeImages(path / 'images')
        self.base_images = FakeBaseImages()
        self.driver = self._driver()
        self.rebuilt = 0
        self.service = self._service()

    def _driver(self) -> FakeDriver:
        return FakeDriver(FakeSettings(), HostSettings(host=HOST), self.path)

    def _service(self) -> ComputeService:
        self._line = Line(self.conductor)
        return ComputeService(
            self.settings,
            HOST,
            self.driver,
            conductor=cast(ConductorAPI, self._line),
            images=self.images,
            base_images=self.base_images,
            state_path=self.path,
            rebuild_transport=self._rebuild,
        )

    def _rebuild(self) -> None:
        self.rebuilt += 1

    def start(self, *, ready: bool = True) -> 'Agent':
        """Start it, and wait until it has registered."""
        self.service.prepare()
        self.service.start()
        if ready:
            assert self.service.ready.wait(10)
            eventually(lambda: self.service._power.syncs > 0)
        return self

    def stop(self) -> None:
        """Stop it."""
        self.service.stop(2)

    def kill_at(self, point: str) -> threading.Event:
        """Let the process die when it comes to a fault point; the event is set then. Ends with the next hook."""
        struck = threading.Event()

        def reached(name: str) -> None:
            if name == point or struck.is_set():
                struck.set()
                self._line.dead = True
                raise SimulatedKill(point)

        faultpoints.set_hook(reached)
        return struck

    def bury(self) -> None:
        """What the kernel does for a dead process."""
        faultpoints.set_hook(None)
        self._line.dead = True
        self.service._reporter.stop()
        self.service._power.stop()
        self.service._lock.release()

    def again(self, *, keep_driver: bool = False) -> 'Agent':
        """A new agent on the same folders."""
        if not keep_driver:
            self.driver = self._driver()
        self.service = self._service()
        return self

    def work(self, order: WorkOrder) -> None:
        """An order arrives."""
        self.service.manager.work(service_context(), order)

    def do(self, kind: str, server_id: str | None = None, **more: Any) -> WorkOrder:
        """Accept an operation and wait for its end."""
        order = self.do_not_wait(kind, server_id, **more)
        self.conductor.wait_ended(order.operation_id)
        self.settled(order.server_id)
        return order

    def do_not_wait(self, kind: str, server_id: str | None = None, **more: Any) -> WorkOrder:
        """Accept an operation and send its order."""
        order = self.conductor.accept(kind, server_id, **more)
        self.work(order)
        return order

    def build(self) -> str:
        """A server that runs."""
        return self.do(states.BUILD).server_id

    def build_other(self, held_server_id: str) -> str:
        """A server that runs, while the finish of another one is held at a gate."""
        gate = self.conductor.before.pop('finish')
        server_id = self.build()
        assert self.service.holds(held_server_id)
        self.conductor.before['finish'] = gate
        return server_id

    def settled(self, server_id: str) -> None:
        """Wait until nothing works on a server."""
        eventually(lambda: not self.service.holds(server_id))

    def power_state(self, server_id: str) -> int | None:
        """What the host shows."""
        guest = self.driver.guest(server_id)
        return guest.power_state if guest else None

    def events(self, server_id: str) -> list[FakeEvent]:
        """What the guest of a server executed."""
        return [event for event in read_events(self.path / 'fake-guests.log') if event.server_id == server_id]


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for what other threads bring about, and nobody tells of."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, 'it did not come to be'
        time.sleep(0.005)


@contextmanager
def running(path: Path, **settings: Any) -> Iterator[Agent]:
    """An agent that runs, with a conductor of its own."""
    agent = Agent(path, FakeConductor(HOST), **settings).start()
    try:
        yield agent
    finally:
        agent.stop()


class Gate:
    """Holds whoever comes to it until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def __call__(self, _argument: object = None) -> None:
        self.reached.set()
        assert self._opened.wait(10), 'nobody opened the gate'

    def open(self) -> None:
        """Let everybody pass."""
        self._opened.set()


def snapshot(agent: Agent, server_id: str) -> WorkOrder:
    """A snapshot of a server that was accepted, with the record of its image."""
    order = agent.conductor.accept(states.SNAPSHOT, server_id, image_id=IMAGE)
    agent.images.create(Image(id=IMAGE, operation_id=order.operation_id))
    return order


def last_report(agent: Agent) -> FinishReport:
    """The report that was accepted last."""
    return agent.conductor.reports[-1]


def calls_of(agent: Agent, method: str) -> int:
    """How often a method of the driver was called."""
    return sum(called == method for called, _server_id in agent.driver.calls)
