"""Ranks the hosts that the filters left, and keeps the ranking true while servers are placed on them.

Weights are normalised to 0 … 1 over the candidates, times the weigher's multiplier, and added up. For servers that are
placed together this is done once; after each, only the host that took it is asked again, on the same scale. As no
other host's weight has changed, no host can win that was not among the best N + alternates to begin with: so N servers
cost one pass over all hosts and then a few microseconds each.
"""

import heapq
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.filtering import candidates
from cloudplane.scheduler.plugins import EnabledFilter, EnabledWeigher, PluginFailed
from cloudplane.scheduler.table_view import RESOURCES, Ints, Slots, TableView

Weights = NDArray[np.float64]

_MIXER = np.uint64(0x9E3779B97F4A7C15)  # odd and without pattern: a multiplication with it scatters consecutive ids
_HALF = np.uint64(32)


class Ranked(NamedTuple):
    """A host in the ranking; the least one comes first. `tie` is different for each operation."""

    minus_weight: float
    tie: int
    place: int  # among the hosts of the ranking


class Ranking:
    """The best hosts for equal servers, best first."""

    def __init__(
        self,
        hosts: TableView,
        spec: BuildSpec,
        filters: Sequence[EnabledFilter],
        weighers: Sequence[EnabledWeigher],
        *,
        count: int,
        seed: int,
    ) -> None:
        self.seen = len(hosts)
        self._spec = spec
        self._filters = [enabled for enabled in filters if not enabled.filter.run_filter_once_per_request]
        passed = candidates(hosts, spec, filters)
        remaining = hosts if len(passed) == len(hosts) else hosts.take(passed)
        self._scales = [_Scale(enabled, remaining, spec) for enabled in weighers] if len(passed) else []
        weights = _total(len(passed), self._scales)
        salt = zlib.crc32(spec.operation_id.encode(), seed)
        best = _best(weights, count, salt)
        self._slots = passed[best]
        self._hosts = hosts.take(self._slots)
        self._taken = np.zeros(len(best), dtype=np.int64)
        self._ids: list[int] = self._hosts.ids.tolist()
        ties = _ties(self._hosts.ids, salt)
        self._heap = [Ranked(-weight, ties[place], place) for place, weight in enumerate(weights[best].tolist())]
        heapq.heapify(self._heap)
        self._stale: Ranked | None = None  # the host that was used last: ranked again when somebody asks

    def name(self, entry: Ranked) -> str:
        """The name of a host of the ranking."""
        return self._hosts.name(entry.place)

    def host_id(self, entry: Ranked) -> int:
        """The id of a host of the ranking."""
        return self._ids[entry.place]

    def pop(self, count: int) -> list[Ranked]:
        """The best hosts that still pass, at most `count`, taken out of the ranking."""
        if self._stale is not None:
            self._rank_again(self._stale)
            self._stale = None
        return [heapq.heappop(self._heap) for _ in range(min(count, len(self._heap)))]

    def put_back(self, ranked: Sequence[Ranked]) -> None:
        """Put back what was popped and not used."""
        for entry in ranked:
            heapq.heappush(self._heap, entry)

    def use(self, entry: Ranked) -> None:
        """One server was placed on this host, which had been popped."""
        self._taken[entry.place] += 1
        self._stale = entry

    def _rank_again(self, entry: Ranked) -> None:
        """Put a host back that has one server more, unless it does not pass any more."""
        for resource in RESOURCES:
            getattr(self._hosts, f'free_{resource}')[entry.place] -= getattr(self._spec.flavor, resource)
        host = self._hosts.one(entry.place)
        if len(candidates(host, self._spec, self._filters)):
            weight = sum(scale.again(host, self._spec) for scale in self._scales)
            heapq.heappush(self._heap, Ranked(-weight, entry.tie, entry.place))

    def used(self) -> tuple[Slots, Ints]:
        """Where in all hosts servers were placed, and how many on each."""
        used = np.flatnonzero(self._taken)
        return self._slots[used], self._taken[used]


class _Scale:
    """One weigher's normalisation, as it was when the first of the servers was placed."""

    def __init__(self, enabled: EnabledWeigher, hosts: TableView, spec: BuildSpec) -> None:
        self._enabled = enabled
        raw = _raw(enabled, hosts, spec)
        self._low = float(raw.min())
        self._range = float(raw.max()) - self._low
        self.weights: Weights = (raw - self._low) * self._factor()

    def again(self, host: TableView, spec: BuildSpec) -> float:
        """The weight of one host whose use has changed. It may lie outside of the multiplier's range."""
        above = float(_raw(self._enabled, host, spec)[0]) - self._low
        if not self._range:
            self._range = abs(above)  # all were equal: the first difference is the unit
        return above * self._factor()

    def _factor(self) -> float:
        return self._enabled.multiplier / self._range if self._range else 0.0


def _raw(enabled: EnabledWeigher, hosts: TableView, spec: BuildSpec) -> Weights:
    try:
        raw = np.asarray(enabled.weigher.weights(hosts, spec), dtype=np.float64)
    except Exception as error:
        raise PluginFailed(f'the weigher {enabled.name} failed: {type(error).__name__}: {error}') from error
    if raw.shape != (len(hosts),) or not np.isfinite(raw).all():
        raise PluginFailed(f'the weigher {enabled.name} did not answer with one number for each host')
    return raw


def _total(count: int, scales: Sequence[_Scale]) -> Weights:
    total = np.zeros(count)
    for scale in scales:
        total += scale.weights
    return total


def _ties(ids: Ints, salt: int) -> list[int]:
    """A number for each host that looks drawn by lot, and is another one for another `salt`."""
    mixed = (ids.astype(np.uint64) + np.uint64(salt)) * _MIXER
    mixed = (mixed ^ (mixed >> _HALF)) * _MIXER
    drawn: list[int] = (mixed ^ (mixed >> _HALF)).tolist()
    return drawn


def _best(weights: Weights, count: int, salt: int) -> Slots:
    """The places of the `count` greatest weights; among equal ones at the edge, `salt` decides which are in."""
    if len(weights) <= count:
        return np.arange(len(weights))
    edge = np.partition(weights, len(weights) - count)[len(weights) - count]
    above = np.flatnonzero(weights > edge)
    level = np.flatnonzero(weights == edge)
    places = (np.arange(count - len(above)) + salt) % len(level)
    return np.concatenate((above, level[places]))
