"""All hosts as columns, kept true by the conductor's feed, with the scheduler's own selections assumed on top.

The table does no I/O. Its callers hold `lock` around everything they do with it, a decision included: a view looks at
the columns themselves.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostChanges, HostGeneration, HostRow
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.assumptions import Assumptions
from cloudplane.scheduler.table_view import RESOURCES, TableView, Texts

# For so long a host that was removed does not come back by a message that was sent before its removal.
TOMBSTONE_S = 60.0

_NUMBERS = ('generation', *(f'{kind}_{resource}' for kind in ('limit', 'used') for resource in RESOURCES))
_FLAGS = ('up', 'disabled', 'forced_down')
_TEXTS = ('zone', 'hypervisor_type', 'architecture')
_DERIVED = tuple(f'{kind}_{resource}' for kind in ('assumed', 'free') for resource in RESOURCES)

# What a comparison found to differ: host id, and the generation that the table has of it (None: it has no such host).
Difference = dict[int, int | None]


class HostTable:
    """The hosts that the scheduler knows. Removed hosts leave no gap: the last one moves to their place."""

    def __init__(self, assumption_s: float, clock: Callable[[], float], *, capacity: int = 64) -> None:
        self.lock = threading.Lock()
        self.loaded = False  # a snapshot was loaded
        self._clock = clock
        self._assumptions = Assumptions(assumption_s, clock)
        self._texts = Texts()
        self._slots: dict[int, int] = {}  # by host id
        self._names: list[str] = []
        self._tombstones: dict[int, float] = {}  # host id: when it ends
        self._capacity = capacity
        self._columns: dict[str, NDArray[Any]] = {
            'ids': np.zeros(capacity, dtype=np.int64),
            'available': np.zeros(capacity, dtype=np.bool_),
            **{name: np.zeros(capacity, dtype=np.int64) for name in (*_NUMBERS, *_DERIVED)},
            **{name: np.zeros(capacity, dtype=np.bool_) for name in _FLAGS},
            **{name: np.zeros(capacity, dtype=np.int32) for name in _TEXTS},
        }

    def __len__(self) -> int:
        return len(self._slots)

    # What comes from the conductor

    def load(self, rows: Iterable[HostRow]) -> None:
        """Take in a snapshot. The feed was subscribed to before: what came from it since is not overwritten."""
        for row in rows:
            self._put_newer(row)
        self.loaded = True

    def apply(self, changes: HostChanges) -> None:
        """Take in one message of the feed. Rows of an older generation than the table has are ignored."""
        for row in changes.rows:
            self._put_newer(row)
        for host_id in changes.removed:
            self._tombstones[host_id] = self._clock() + TOMBSTONE_S
            self._remove(host_id)
        # After the rows, which now hold what was claimed: in between, a host may look fuller than it is, never emptier.
        for operation_id in changes.claims_ended:
            self.unassume(operation_id)

    def differences(self, generations: Iterable[HostGeneration]) -> Difference:
        """The hosts of which the conductor has another generation, or that only one side has."""
        theirs = {each.id: each.generation for each in generations}
        return {
            host_id: self._generation(host_id)
            for host_id in theirs.keys() | self._slots.keys()
            if theirs.get(host_id) != self._generation(host_id)
        }

    def settle(self, differences: Difference, rows: Iterable[HostRow]) -> None:
        """Take in the rows that were fetched because of `differences`; a host without a row is gone.

        They are right even where their generation is lower (the database was restored from a backup), unless the feed
        brought news of the host meanwhile.
        """
        fetched = {row.id: row for row in rows}
        for host_id, seen in differences.items():
            row = fetched.get(host_id)
            if self._generation(host_id) != seen:
                continue
            if row is None:
                self._remove(host_id)
            elif host_id not in self._tombstones:
                self._put(row)

    # What the scheduler assumes

    def assume(self, spec: BuildSpec, host_id: int) -> None:
        """Count a selection as used, in place of an earlier one of the same operation."""
        self.unassume(spec.operation_id)
        if host_id in self._slots:
            self._assumptions.add(spec, host_id)
            self._add_assumed(host_id, spec.flavor, 1)

    def unassume(self, operation_id: str) -> None:
        """The claim has ended, or was never sent."""
        if (assumption := self._assumptions.pop(operation_id)) is not None:
            self._add_assumed(assumption.host_id, assumption.flavor, -1)

    def expire(self) -> None:
        """End the assumptions and the tombstones whose time is over. To be called before a decision."""
        for assumption in self._assumptions.pop_expired():
            self._add_assumed(assumption.host_id, assumption.flavor, -1)
        now = self._clock()
        for host_id in [host_id for host_id, ends_at in self._tombstones.items() if ends_at <= now]:
            del self._tombstones[host_id]

    def is_assumed(self, spec: BuildSpec) -> bool:
        """Whether this very spec was decided and its claim has not been heard of."""
        return self._assumptions.covers(spec)

    def view(self) -> TableView:
        """The table as plug-ins see it, good while the lock is held."""
        return TableView(
            len(self), column=self._column, name=self._names.__getitem__, texts=self._texts, loaded=self.loaded
        )

    # Columns

    def _column(self, name: str) -> NDArray[Any]:
        try:
            values = self._columns[name][: len(self)]
        except KeyError:
            raise AttributeError(f'the host table has no column {name}') from None
        values.flags.writeable = False
        return values

    def _generation(self, host_id: int) -> int | None:
        slot = self._slots.get(host_id)
        return None if slot is None else int(self._columns['generation'][slot])

    def _put_newer(self, row: HostRow) -> None:
        known = self._generation(row.id)
        if row.id not in self._tombstones and (known is None or row.generation >= known):
            self._put(row)

    def _put(self, row: HostRow) -> None:
        slot = self._slots.get(row.id)
        if slot is None:
            slot = self._new_slot(row.id)
        self._names[slot] = row.name
        columns = self._columns
        for name in (*_NUMBERS, *_FLAGS):
            columns[name][slot] = getattr(row, name)
        for name in _TEXTS:
            columns[name][slot] = self._texts.code(getattr(row, name))
        columns['available'][slot] = row.up and not row.disabled and not row.forced_down
        for resource in RESOURCES:
            self._sum_up(slot, resource)

    def _new_slot(self, host_id: int) -> int:
        slot = len(self._slots)
        if slot == self._capacity:
            self._capacity *= 2
            self._columns = {name: np.resize(values, self._capacity) for name, values in self._columns.items()}
        for values in self._columns.values():
            values[slot] = 0
        self._columns['ids'][slot] = host_id
        self._slots[host_id] = slot
        self._names.append('')
        return slot

    def _remove(self, host_id: int) -> None:
        if host_id not in self._slots:
            return
        self._assumptions.forget_host(host_id)
        slot, last = self._slots.pop(host_id), len(self._slots)
        moved = self._names.pop()
        if slot != last:
            self._names[slot] = moved
            for values in self._columns.values():
                values[slot] = values[last]
            self._slots[int(self._columns['ids'][slot])] = slot

    def _add_assumed(self, host_id: int, flavor: Flavor, sign: int) -> None:
        slot = self._slots[host_id]  # assumptions about a host end when it goes
        for resource in RESOURCES:
            self._columns[f'assumed_{resource}'][slot] += sign * getattr(flavor, resource)
            self._sum_up(slot, resource)

    def _sum_up(self, slot: int, resource: str) -> None:
        columns = self._columns
        columns[f'free_{resource}'][slot] = (
            columns[f'limit_{resource}'][slot]
            - columns[f'used_{resource}'][slot]
            - columns[f'assumed_{resource}'][slot]
        )
