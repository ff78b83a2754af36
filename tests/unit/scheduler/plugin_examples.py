"""Plug-ins that tests configure: one-host-at-a-time ones, and ones that misbehave."""

from typing import Any

import numpy as np

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Filter, HostFilter, HostWeigher
from cloudplane.scheduler.table_view import Flags, HostState, TableView


class EvenFilter(HostFilter):
    """Hosts with an even id; notes which it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def host_passes(self, host_state: HostState, spec: BuildSpec) -> bool:
        self.asked.append(host_state.name)
        return host_state.id % 2 == 0


class LowestIdWeigher(HostWeigher):
    """Prefers low ids."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset

    def _weigh_object(self, host_state: HostState, weight_properties: BuildSpec) -> float:
        return self._offset - host_state.id


class Asked(Filter):
    """Lets everything pass and counts how often it was asked."""

    def __init__(self, *, once: bool, concerned: bool = True) -> None:
        self.run_filter_once_per_request = once  # type: ignore[misc]  # a class attribute in earnest
        self.times, self._concerned = 0, concerned

    def applies(self, spec: BuildSpec) -> bool:
        return self._concerned

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        self.times += 1
        return np.ones(len(hosts), dtype=np.bool_)


class BrokenFilter(Filter):
    """Cannot decide."""

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        raise RuntimeError('out of order')


class NarrowFilter(Filter):
    """Answers with something else than flags."""

    def passes(self, hosts: TableView, spec: BuildSpec) -> Any:
        return np.array([1, 2], dtype=np.int64)


class PoisonedBy(Filter):
    """Fails for one server only."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        if spec.server_id == self._server_id:
            raise RuntimeError('poison')
        return np.ones(len(hosts), dtype=np.bool_)


class CannotBeMade(Filter):
    """Its constructor fails."""

    def __init__(self) -> None:
        raise RuntimeError('no such thing')

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        raise NotImplementedError


class NotAPlugin:
    """Neither a filter nor a weigher."""
