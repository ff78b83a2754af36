"""Hosts, requests and tables for these tests, with defaults for all that a test does not care about."""

from collections.abc import Iterable
from typing import Any

from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostRow
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.filters.availability_zone import AvailabilityZoneFilter
from cloudplane.scheduler.filters.capacity import DiskFilter, MemoryFilter, VcpuFilter
from cloudplane.scheduler.filters.compute import ComputeFilter
from cloudplane.scheduler.filters.retry import RetryFilter
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.plugins import EnabledFilter, EnabledWeigher
from cloudplane.scheduler.settings import SchedulerSettings
from cloudplane.scheduler.weighers.cpu import CpuWeigher
from cloudplane.scheduler.weighers.memory import MemoryWeigher

FILTERS = (
    EnabledFilter('compute', ComputeFilter()),
    EnabledFilter('availability_zone', AvailabilityZoneFilter()),
    EnabledFilter('retry', RetryFilter()),
    EnabledFilter('vcpu', VcpuFilter()),
    EnabledFilter('memory', MemoryFilter()),
    EnabledFilter('disk', DiskFilter()),
)
WEIGHERS = (EnabledWeigher('memory', MemoryWeigher(), 1.0), EnabledWeigher('cpu', CpuWeigher(), 1.0))
SETTINGS = SchedulerSettings(
    host='scheduler-1',
    filters=tuple(enabled.name for enabled in FILTERS),
    weighers={enabled.name: enabled.multiplier for enabled in WEIGHERS},
)
SMALL = Flavor(id='small', name='small', vcpus=1, memory_mb=1024, root_gb=10)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


def host(host_id: int, **changes: Any) -> HostRow:
    """A host h<id> with room for eight small servers."""
    row = HostRow(
        id=host_id,
        name=f'h{host_id}',
        zone='nova',
        generation=1,
        up=True,
        disabled=False,
        forced_down=False,
        limit_vcpus=8,
        limit_memory_mb=8192,
        limit_disk_gb=80,
        used_vcpus=0,
        used_memory_mb=0,
        used_disk_gb=0,
    )
    return row.evolve(**changes)


def request(number: int = 1, **changes: Any) -> BuildSpec:
    """A small server."""
    spec = BuildSpec(
        operation_id=f'operation-{number}',
        server_id=f'server-{number}',
        attempt=0,
        project_id='project',
        flavor=SMALL,
    )
    return spec.evolve(**changes)


def requests(count: int, **changes: Any) -> list[BuildSpec]:
    """Equal servers of one request."""
    return [request(number, **changes) for number in range(1, count + 1)]


def table(rows: Iterable[HostRow], clock: Clock | None = None) -> HostTable:
    """A loaded table."""
    made = HostTable(10.0, clock or Clock(), capacity=2)
    made.load(rows)
    return made
