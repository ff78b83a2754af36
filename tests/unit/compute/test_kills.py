"""The agent's process dies at each fault point of each operation; the next one ends the work as it was accepted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudplane import faultpoints, states
from cloudplane.compute.operations import OPERATIONS
from cloudplane.compute.virt.fake_behaviour import ALWAYS
from cloudplane.objects.image import ACTIVE, Image
from tests.unit.compute.agent import HOST, IMAGE, Agent, eventually
from tests.unit.compute.fake_conductor import FakeConductor

pytestmark = pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')

POINTS = [point for point in faultpoints.all_points() if point.startswith('compute.')]
Setup = Callable[[Agent], str | None]


def nothing(agent: Agent) -> None:
    """A server that does not exist yet."""


def with_image_files(agent: Agent) -> None:
    """A hypervisor that needs the image's bytes."""
    agent.driver.needs_image_files = True


def with_broken_disk(agent: Agent) -> None:
    """A host that cannot build."""
    agent.driver.failures['make_disk'] = ALWAYS


def running(agent: Agent) -> str:
    """A server that runs."""
    return agent.build()


def stopped(agent: Agent) -> str:
    """A server that is off."""
    server_id = agent.build()
    agent.do(states.STOP, server_id)
    return server_id


def ignoring(agent: Agent) -> str:
    """A server that does not hear."""
    agent.driver.ignores_soft_reboot = True
    return agent.build()


def with_broken_copy(agent: Agent) -> str:
    """A server whose disk cannot be copied."""
    agent.driver.failures['copy_disk'] = ALWAYS
    return agent.build()


SCENARIOS: dict[str, tuple[str, Setup]] = {
    'compute.build': (states.BUILD, nothing),
    'compute.build.image': (states.BUILD, with_image_files),
    'compute.build.clean': (states.BUILD, with_broken_disk),
    'compute.delete': (states.DELETE, running),
    'compute.start': (states.START, stopped),
    'compute.stop': (states.STOP, running),
    'compute.soft_reboot': (states.SOFT_REBOOT, running),
    'compute.hard_reboot': (states.HARD_REBOOT, running),
    'compute.reboot': (states.SOFT_REBOOT, ignoring),
    'compute.snapshot': (states.SNAPSHOT, running),
    'compute.snapshot.discard': (states.SNAPSHOT, with_broken_copy),
    'compute.unknown': ('teleport', running),
}


def scenario_of(point: str) -> tuple[str, Setup]:
    """The scenario that comes to a point: the most special one."""
    step = point.partition(':')[0]
    return SCENARIOS.get(step) or SCENARIOS[step.rpartition('.')[0]]


@pytest.mark.parametrize('point', POINTS)
def test_work_ends_as_accepted_when_the_agent_is_killed(point: str, tmp_path: Path) -> None:
    kind, setup = scenario_of(point)
    agent = Agent(tmp_path, FakeConductor(HOST)).start()
    server_id = setup(agent)
    image_id = IMAGE if kind == states.SNAPSHOT else None
    order = agent.conductor.accept(kind, server_id, image_id=image_id)
    if image_id:
        agent.images.create(Image(id=image_id, operation_id=order.operation_id))

    struck = agent.kill_at(point)
    agent.work(order)
    assert struck.wait(10), f'{point} was never struck'
    agent.bury()
    agent.again(keep_driver=True).start()

    agent.conductor.wait_ended(order.operation_id)
    agent.settled(order.server_id)
    eventually(lambda: is_settled(agent, order.server_id))
    agent.settled(order.server_id)
    check(agent, kind, order.server_id, order.operation_id)
    agent.stop()


def is_settled(agent: Agent, server_id: str) -> bool:
    """Whether the host shows what the conductor says."""
    server, shown = agent.conductor.servers[server_id], agent.power_state(server_id)
    if not server.here:
        return server_id not in agent.driver.leftovers()
    return shown == {states.ACTIVE: states.RUNNING, states.STOPPED: states.SHUTDOWN}[server.vm_state]


def check(agent: Agent, kind: str, server_id: str, operation_id: str) -> None:
    """What must hold in the end, whatever died."""
    operation = agent.conductor.operations[operation_id]
    fails = 'make_disk' in agent.driver.failures or 'copy_disk' in agent.driver.failures or kind not in OPERATIONS
    assert operation.state == (states.FAILED if fails else states.DONE)
    events = [event.event for event in agent.events(server_id)]
    whys = [event.why for event in agent.events(server_id) if event.event == 'stop']
    if kind == states.BUILD and not fails:
        assert set(events) == {'start_paused', 'resume'}
        assert len({event.run_id for event in agent.events(server_id)}) == 1
    if kind == states.HARD_REBOOT:
        assert whys == ['hard_reboot']
    if kind == states.SNAPSHOT:
        image = agent.images.records.get(IMAGE)
        assert (image.status if image else None) == (None if fails else ACTIVE)
        assert fails or not agent.images.parts()
    assert agent.driver.calls[-1][0] != 'destroy' or not agent.conductor.servers[server_id].here


def test_every_fault_point_of_every_verb_is_struck() -> None:
    assert len(POINTS) == len(set(POINTS))
    for kind in OPERATIONS:
        assert f'compute.{kind}.finish:reported' in POINTS
