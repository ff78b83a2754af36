"""Prefers hosts with more memory free: this spreads servers; a negative multiplier packs them."""

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Weigher
from cloudplane.scheduler.table_view import Ints, TableView


class MemoryWeigher(Weigher):
    """The weight is the free memory."""

    def weights(self, hosts: TableView, spec: BuildSpec) -> Ints:
        return hosts.free_memory_mb
