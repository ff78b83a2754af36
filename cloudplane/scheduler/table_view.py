"""What plug-ins see of the hosts: columns for those that work on all hosts at once, states for the others.

A view is read-only and is good for one decision. Views of some of the hosts, or with other amounts, are made from it;
a column is copied only when somebody asks for it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloudplane.objects.flavor import Flavor

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]
Slots = NDArray[np.intp]

RESOURCES = ('vcpus', 'memory_mb', 'disk_gb')


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """One host, for plug-ins that look at one at a time. `free_…`: less what is used and what is assumed."""

    id: int
    name: str
    zone: str
    hypervisor_type: str
    architecture: str
    up: bool
    disabled: bool
    forced_down: bool
    limit_vcpus: int
    limit_memory_mb: int
    limit_disk_gb: int
    free_vcpus: int
    free_memory_mb: int
    free_disk_gb: int


class Texts:
    """Gives each text a small number, so that a column of texts can be compared as numbers."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._texts: list[str] = []

    def code(self, text: str) -> int:
        """The number of `text`; a new one if it has none."""
        if text not in self._codes:
            self._codes[text] = len(self._texts)
            self._texts.append(text)
        return self._codes[text]

    def known(self, text: str) -> int:
        """The number of `text`, or -1, which no host has."""
        return self._codes.get(text, -1)

    def text(self, code: int) -> str:
        """The text of a number."""
        return self._texts[code]


class TableView:
    """Columns of equal length, one element for each host. `free_…`: limit less what is used and what is assumed."""

    ids: Ints
    zone: Codes
    hypervisor_type: Codes
    architecture: Codes
    available: Flags  # up, and neither disabled nor forced down
    up: Flags
    disabled: Flags
    forced_down: Flags
    limit_vcpus: Ints
    limit_memory_mb: Ints
    limit_disk_gb: Ints
    assumed_vcpus: Ints
    assumed_memory_mb: Ints
    assumed_disk_gb: Ints
    free_vcpus: Ints
    free_memory_mb: Ints
    free_disk_gb: Ints

    def __init__(
        self,
        count: int,
        *,
        column: Callable[[str], NDArray[Any]],
        name: Callable[[int], str],
        texts: Texts,
        loaded: bool,
    ) -> None:
        self._count, self._column, self._name = count, column, name
        self.texts = texts
        self.loaded = loaded  # False: more hosts may be there than were heard of until now

    def __getattr__(self, column: str) -> NDArray[Any]:
        """A column that was not asked for before."""
        if column.startswith('_'):
            raise AttributeError(column)
        values = self._column(column)
        setattr(self, column, values)
        return values

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """The name of one host."""
        return self._name(index)

    def state(self, index: int) -> HostState:
        """One host as a record."""
        return HostState(
            id=int(self.ids[index]),
            name=self.name(index),
            zone=self.texts.text(self.zone[index]),
            hypervisor_type=self.texts.text(self.hypervisor_type[index]),
            architecture=self.texts.text(self.architecture[index]),
            up=bool(self.up[index]),
            disabled=bool(self.disabled[index]),
            forced_down=bool(self.forced_down[index]),
            limit_vcpus=int(self.limit_vcpus[index]),
            limit_memory_mb=int(self.limit_memory_mb[index]),
            limit_disk_gb=int(self.limit_disk_gb[index]),
            free_vcpus=int(self.free_vcpus[index]),
            free_memory_mb=int(self.free_memory_mb[index]),
            free_disk_gb=int(self.free_disk_gb[index]),
        )

    def take(self, slots: Slots) -> 'TableView':
        """These hosts, in this order, as they are now."""
        return self._derived(
            len(slots), lambda column: getattr(self, column)[slots], lambda index: self.name(int(slots[index]))
        )

    def one(self, index: int) -> 'TableView':
        """One host, as a view of length 1."""
        return self._derived(
            1, lambda column: getattr(self, column)[index : index + 1], lambda _index: self.name(index)
        )

    def after(self, slots: Slots, counts: Ints, flavor: Flavor) -> 'TableView':
        """All hosts, once `counts[i]` servers of a flavor more are on the host `slots[i]` (no host twice)."""
        view = self._derived(self._count, lambda column: getattr(self, column), self.name)
        for resource in RESOURCES:
            free = getattr(self, f'free_{resource}').copy()
            free[slots] -= counts * getattr(flavor, resource)
            setattr(view, f'free_{resource}', free)
        return view

    def at_best(self) -> 'TableView':
        """All hosts as they may soon be: those that fell silent are back, and nothing that was assumed has come."""
        view = self._derived(self._count, lambda column: getattr(self, column), self.name)
        view.up = np.ones(self._count, dtype=np.bool_)
        view.available = ~(self.disabled | self.forced_down)
        for resource in RESOURCES:
            setattr(view, f'free_{resource}', getattr(self, f'free_{resource}') + getattr(self, f'assumed_{resource}'))
        return view

    def _derived(self, count: int, column: Callable[[str], NDArray[Any]], name: Callable[[int], str]) -> 'TableView':
        return TableView(count, column=column, name=name, texts=self.texts, loaded=self.loaded)
