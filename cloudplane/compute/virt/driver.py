"""The contract between the agent and a hypervisor driver.

The agent's operations (compute/operations) own the order of steps, fencing, retries and reports; a driver does one
piece of work on one guest, and can say what the host shows. Rules for every method:

- It may be called again after it was cut short at any instruction, and goes on from what the host shows.
- It is called for one server by one thread at a time; for different servers by many. `guest` and `console_log` may
  be called at any time, also while something else works on the same guest.
- It never blocks the process: calls into C go through a BlockingPool.
- It raises only subclasses of exceptions.GuestError (with a message that says what failed and what to do), or
  exceptions.NotImplementedHere.
- A guest carries the marks (server id, sequence, operation id, attempt) of the build that made it. A driver never
  touches a guest without such marks.
"""

import abc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """Which work this is: names the part files `NAME.OPERATION.ATTEMPT.part`, and is marked on the guest."""

    operation_id: str
    sequence: int
    attempt: int


class GuestInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the host shows of one guest."""

    server_id: str
    sequence: int  # of the build that made it
    operation_id: str
    attempt: int
    power_state: int  # states.RUNNING …
    # Changes with each start of the guest (libvirt: the domain id with its start time); None while it is off.
    run_id: str | None = None
    committed: bool = False  # it has been let run at least once


class Progress:
    """How a long step tells that it moves, and how it learns that it should stop.

    `advance(done)` is called with a growing number of bytes; the agent ends the step when it has not grown for the
    step's time. `cancelled` is set when a newer operation supersedes this one: the driver raises
    exceptions.Cancelled as soon as it can, leaving what it made for a later call or `destroy` to find.
    """

    def __init__(self, advance: Callable[[int], None] | None = None, cancelled: threading.Event | None = None) -> None:
        self.advance: Callable[[int], None] = advance or (lambda _done: None)
        self.cancelled = cancelled or threading.Event()


class Driver(abc.ABC):
    """One hypervisor."""

    # Whether builds need the image's bytes on the host (libvirt), or only its name (fake).
    needs_image_files: bool = True

    @classmethod
    @abc.abstractmethod
    def from_conf(cls, conf: Any, host: HostSettings, state_path: Path) -> Self:
        """The driver that a configuration describes. Called by cmd/ alone: nothing else reads options."""

    @abc.abstractmethod
    def start(self) -> None:
        """Connect, prepare folders and networks, start to listen for events. Called once, before the agent registers.

        Raises exceptions.ConfigurationError with what to do if this host cannot run guests.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Disconnect. Guests go on."""

    @abc.abstractmethod
    def inventory(self) -> HostInventory:
        """What the host has, reserved amounts and ratios included."""

    @abc.abstractmethod
    def guests(self) -> list[GuestInfo]:
        """All marked guests of this host, defined or running."""

    @abc.abstractmethod
    def guest(self, server_id: str) -> GuestInfo | None:
        """One guest, or None."""

    @abc.abstractmethod
    def leftovers(self) -> set[str]:
        """Server ids for which anything lies on the host: a guest, a folder, a network lease."""

    @abc.abstractmethod
    def listen(self, on_power_change: Callable[[str], None]) -> None:
        """Call back with a server id whenever its guest has changed its power state (from any thread)."""

    # A build, in the order of its calls. Each is already done when it is called again.

    @abc.abstractmethod
    def make_network(self, spec: GuestSpec) -> tuple[Address, ...]:
        """Reserve the guest's addresses, so that they are known before it boots. () for `networks` = none."""

    @abc.abstractmethod
    def make_disk(self, spec: GuestSpec, token: Token, base: Path | None, progress: Progress) -> None:
        """The root disk, as an overlay of `base` (verified, in the host's cache; None for an empty disk)."""

    @abc.abstractmethod
    def make_config_drive(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """The config drive with metadata, key and user data."""

    @abc.abstractmethod
    def start_paused(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """Define the guest with its marks (persistent, not autostarted), and start it paused: nothing executes yet.

        A guest of the same sequence that is paused or running is adopted; its mark gets this token's attempt.
        """

    @abc.abstractmethod
    def resume(self, server_id: str) -> None:
        """Let a paused guest run, and mark it committed. Running already: only the mark."""

    # Power

    @abc.abstractmethod
    def power_on(self, server_id: str) -> None:
        """Start the guest. Running already: nothing; paused: resume."""

    @abc.abstractmethod
    def power_off(self, server_id: str, graceful_s: float, progress: Progress) -> None:
        """Press the power button, wait `graceful_s` at most (0: not at all), then cut the power. Off: nothing."""

    @abc.abstractmethod
    def soft_reboot(self, server_id: str, timeout_s: float, progress: Progress) -> bool:
        """Ask the guest to reboot; False if it ignored that for `timeout_s`."""

    @abc.abstractmethod
    def hard_reboot(self, server_id: str) -> None:
        """Cut the power if it is on, and start the guest anew; repairs its definition and network lease as well."""

    # Snapshot

    @abc.abstractmethod
    def end_copies(self, server_id: str) -> None:
        """End what a dead agent may have left behind of snapshots: jobs aborted, overlays pivoted back."""

    @abc.abstractmethod
    def copy_disk(self, server_id: str, target: Path, progress: Progress) -> None:
        """Write a flat, consistent qcow2 image of the guest's root disk to `target`, running or not."""

    # The end

    @abc.abstractmethod
    def destroy(self, server_id: str) -> None:
        """Remove guest, files and leases, each piece on its own; what is missing is fine."""

    @abc.abstractmethod
    def console_log(self, server_id: str, lines: int | None) -> str:
        """The last lines of the guest's serial console (None: all that is kept)."""

    def unusable_because(self) -> str | None:
        """Why this hypervisor cannot take new guests now, in words; None if it can. Asked with each heartbeat."""
        return None
