"""What can be measured: some processes of cloudplane that serve one compute API."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start, in seconds since the first process was started."""

    ready_s: float  # the last process said that it is ready
    host_up_s: float  # the API shows a host that takes servers


class Deployment(Protocol):
    """Processes that are started and stopped together, on the same state each time."""

    @property
    def settings(self) -> dict[str, Any]:
        """What it is and how it is set up; the names in figures.IDENTITY are among them. Raises BenchFailed if what
        it has accepted would not survive a power failure.
        """
        ...

    @property
    def port(self) -> int:
        """Where the API listens on the loopback address."""
        ...

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes by the name that they have in figures."""
        ...

    def prepare(self) -> None:
        """Make configuration, database and image; once, before the first start."""
        ...

    def start(self) -> Start:
        """Start it, and wait until a host is up. Raises BenchFailed, with the log."""
        ...

    def stop(self) -> None:
        """End the processes in order; harmless when nothing runs."""
        ...
