"""Prefers hosts with more virtual CPUs free: this spreads servers; a negative multiplier packs them."""

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Weigher
from cloudplane.scheduler.table_view import Ints, TableView


class CpuWeigher(Weigher):
    """The weight is the number of free virtual CPUs."""

    def weights(self, hosts: TableView, spec: BuildSpec) -> Ints:
        return hosts.free_vcpus
