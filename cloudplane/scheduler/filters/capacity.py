"""Only hosts with room for the server: one filter for each resource, so that a refusal says which one is short.

Limits already hold what is reserved and the ratios; "free" is less what is used and what is assumed. A host can be
over its limit, when the limit was lowered: then its free amount is negative, and it takes not even a server that needs
none of that resource.
"""

import abc
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Filter, Reason
from cloudplane.scheduler.table_view import Flags, Ints, TableView


class _CapacityFilter(Filter):
    """Enough of one resource is free."""

    unit: ClassVar[str]

    @abc.abstractmethod
    def needed(self, flavor: Flavor) -> int:
        """What a server of this flavor takes."""

    @abc.abstractmethod
    def free(self, hosts: TableView) -> Ints:
        """What each host has left."""

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        return self.free(hosts) >= self.needed(spec.flavor)

    def reasons(self, dropped: TableView, spec: BuildSpec) -> tuple[Reason, ...]:
        words = f'without {self.needed(spec.flavor)} {self.unit} free'
        return (Reason(len(dropped), words, _most(dropped, self.free(dropped))),)


def _most(hosts: TableView, free: NDArray[np.int64]) -> str:
    best = int(np.argmax(free))
    return f'{hosts.name(best)}, {free[best]}'


class VcpuFilter(_CapacityFilter):
    """Enough virtual CPUs."""

    unit = 'VCPUs'

    def needed(self, flavor: Flavor) -> int:
        return flavor.vcpus

    def free(self, hosts: TableView) -> Ints:
        return hosts.free_vcpus


class MemoryFilter(_CapacityFilter):
    """Enough memory, in MiB."""

    unit = 'MB'

    def needed(self, flavor: Flavor) -> int:
        return flavor.memory_mb

    def free(self, hosts: TableView) -> Ints:
        return hosts.free_memory_mb


class DiskFilter(_CapacityFilter):
    """Enough disk for root, ephemeral and swap, in GiB."""

    unit = 'GB of disk'

    def needed(self, flavor: Flavor) -> int:
        return flavor.disk_gb

    def free(self, hosts: TableView) -> Ints:
        return hosts.free_disk_gb
