"""What the fake conductor keeps of servers and operations, and the records that it makes of that."""

import dataclasses

from cloudplane import states
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import FinishReport, GuestSpec, WantedGuest

DISAGREE = ((states.STOPPED, states.RUNNING), (states.ACTIVE, states.POWER_PAUSED))
FLAVOR = Flavor(id='1', name='small', vcpus=1, memory_mb=512, root_gb=1)


@dataclasses.dataclass
class FakeServer:
    """A server's row."""

    id: str
    vm_state: str = states.BUILDING
    sequence: int = 0
    operation: 'FakeOperation | None' = None
    launched: bool = False
    here: bool = True
    power_state: int = 0

    def wanted(self) -> str:
        """As conductor.execution.wanted_on."""
        if not self.here:
            return states.WANT_ABSENT
        return states.wanted(self.vm_state, operation_active=self.operation is not None, launched=self.launched)


@dataclasses.dataclass
class FakeOperation:
    """An operation's row."""

    id: str
    kind: str
    server: FakeServer
    sequence: int
    attempt: int = 1
    state: str = states.SCHEDULED
    image_id: str | None = None
    report: FinishReport | None = None


def spec_of(server_id: str, networks: str = 'auto') -> GuestSpec:
    """A guest to be built."""
    return GuestSpec(
        server_id=server_id,
        project_id='project',
        user_id='user',
        name='web',
        hostname='web',
        flavor=FLAVOR,
        image_id='image',
        networks=networks,
    )


def same_end(one: FinishReport, other: FinishReport) -> bool:
    """Whether two reports say the same."""
    return (one.attempt, one.succeeded) == (other.attempt, other.succeeded)


def wanted_of(server: FakeServer) -> WantedGuest:
    """What the host should make of a server."""
    return WantedGuest(server_id=server.id, sequence=server.sequence, wanted=server.wanted(), vm_state=server.vm_state)
