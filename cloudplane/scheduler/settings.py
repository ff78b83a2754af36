"""The scheduler's settings, as plain values."""

import math
from typing import Any

import msgspec

from cloudplane.exceptions import ConfigurationError


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of one scheduler. doc: the options of [scheduler]."""

    host: str  # under this name it is a service and has its queue
    filters: tuple[str, ...]
    weighers: dict[str, float]  # name: multiplier
    alternates: int = 3
    assumption_s: float = 10
    resync_s: float = 30
    max_held: int = 2000
    heartbeat_s: float = 10
    seed: int = 0  # breaks ties between equal hosts, with the operation's id


def settings_from(conf: Any) -> SchedulerSettings:
    """The settings in a configuration (untyped here, because nothing in this package reads one elsewhere)."""
    options = conf.scheduler
    return SchedulerSettings(
        host=conf.host,
        filters=tuple(options.enabled_filters),
        weighers={name: _multiplier(name, value) for name, value in options.weighers.items()},
        alternates=options.alternates,
        assumption_s=options.assumption_s,
        resync_s=options.resync_s,
        max_held=options.max_held,
        heartbeat_s=conf.operations.heartbeat_s,
    )


def _multiplier(name: str, value: str) -> float:
    try:
        multiplier = float(value)
    except ValueError:
        multiplier = math.nan
    if not math.isfinite(multiplier):
        raise ConfigurationError(f'[scheduler] weighers: the multiplier of {name} is {value!r}, not a number')
    return multiplier
