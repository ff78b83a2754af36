"""What an agent does, one module per verb, mirroring conductor/operations."""

from cloudplane import states
from cloudplane.compute.operations.base import Operation
from cloudplane.compute.operations.build import Build
from cloudplane.compute.operations.delete import Delete
from cloudplane.compute.operations.power import HardReboot, SoftReboot, Start, Stop
from cloudplane.compute.operations.snapshot import Snapshot
from cloudplane.compute.operations.unknown import Unknown

OPERATIONS: dict[str, type[Operation]] = {
    states.BUILD: Build,
    states.DELETE: Delete,
    states.START: Start,
    states.STOP: Stop,
    states.SOFT_REBOOT: SoftReboot,
    states.HARD_REBOOT: HardReboot,
    states.SNAPSHOT: Snapshot,
}


def operation_of(kind: str) -> type[Operation]:
    """The verb for a kind; one that answers with a refusal for a kind that a newer conductor may know."""
    return OPERATIONS.get(kind, Unknown)
