"""Figures: one number each, with a name that stays, and the arithmetic that makes them from samples."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

# What a figure is of. Two figures with the same name are compared only if these are the same.
IDENTITY = ('deployment', 'driver', 'backend')


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number."""

    name: str
    value: float
    unit: str
    settings: dict[str, Any]

    @property
    def key(self) -> tuple[str, ...]:
        """What it is compared by."""
        return (self.name, *(str(self.settings.get(name)) for name in IDENTITY))


class Figures:
    """Collects figures that share their settings."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.all: list[Figure] = []

    def add(self, name: str, value: float, unit: str, **settings: Any) -> None:
        """One number; `settings` are added to the common ones."""
        self.all.append(Figure(name=name, value=round(value, 4), unit=unit, settings=self.settings | settings))

    def add_percentiles(
        self, name: str, samples: Sequence[float], percents: Iterable[int], unit: str, **settings: Any
    ) -> None:
        """`NAME.p50` and so on."""
        for percent in percents:
            self.add(f'{name}.p{percent}', percentile(samples, percent), unit, samples=len(samples), **settings)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` % of the samples do not exceed (nearest rank)."""
    if not samples:
        raise ValueError('there are no samples')
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[max(rank, 1) - 1]


def median(samples: Sequence[float]) -> float:
    """The sample in the middle."""
    return percentile(samples, 50)


def less(samples: Sequence[float], others: Sequence[float]) -> list[float]:
    """Each sample less the one that was taken beside it."""
    return [sample - other for sample, other in zip(samples, others, strict=True)]
