"""The fake hypervisor: a supported double, for tests of the control plane and for trying it out.

Each guest is one JSON file, replaced atomically, in a folder of its host; a driver that is opened on the same folder
again shows the same guests, as a real host does after a restart of its agent. Nothing is kept in memory, so that
another process may look, or let a guest die.

Each change of what a guest executes is a line in a log (fake_state.py), which several hosts may share: so it is
observed, not inferred, that no server ran twice.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from cloudplane import states
from cloudplane.compute.virt.driver import Driver, GuestInfo, Progress, Token
from cloudplane.compute.virt.fake_behaviour import FakeBehaviour
from cloudplane.compute.virt.fake_settings import FakeSettings, settings_from
from cloudplane.compute.virt.fake_state import EventLog, FakeGuest, GuestFiles, address_of, new_event
from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.exceptions import GuestError, GuestNotFound
from cloudplane.images import qcow2
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address

READY_LINE = 'cloudplane guest ready'
_GIB = 1 << 30


class FakeDriver(FakeBehaviour, Driver):
    """See the module, and FakeBehaviour for what tests may change while it runs."""

    needs_image_files = False

    def __init__(self, settings: FakeSettings, host: HostSettings, state_path: Path) -> None:
        super().__init__(delays=settings.delays, failures=settings.failures)
        self._settings, self._host = settings, host
        folder = Path(settings.path) if settings.path else state_path / 'fake-guests'
        self._files = GuestFiles(folder / host.host)
        self._log = EventLog(Path(settings.log) if settings.log else state_path / 'fake-guests.log')
        self._on_power_change: Callable[[str], None] = lambda _server_id: None
        self.ignores_soft_reboot = settings.ignores_soft_reboot
        self.unusable: str | None = None
        self.vcpus = settings.vcpus

    @classmethod
    def from_conf(cls, conf: Any, host: HostSettings, state_path: Path) -> Self:
        """See Driver."""
        return cls(settings_from(conf.fake), host, state_path)

    def start(self) -> None:
        """See Driver."""
        self._files.prepare()
        for guest in self._files.read_all():
            if guest.last_event is not None:
                self._log.append(guest.last_event)

    def stop(self) -> None:
        """See Driver."""

    def listen(self, on_power_change: Callable[[str], None]) -> None:
        """See Driver."""
        self._on_power_change = on_power_change

    def inventory(self) -> HostInventory:
        """See Driver."""
        said = msgspec.structs.asdict(self._host)
        return HostInventory(
            **said,
            hypervisor_hostname=self._host.host,
            hypervisor_type='fake',
            hypervisor_version=1,
            vcpus=self.vcpus,
            memory_mb=self._settings.memory_mb,
            disk_gb=self._settings.disk_gb,
        )

    def unusable_because(self) -> str | None:
        """See Driver."""
        return self.unusable

    # What the host shows

    def guests(self) -> list[GuestInfo]:
        """See Driver."""
        return [_info(guest) for guest in self._files.read_all() if guest.sequence]

    def guest(self, server_id: str) -> GuestInfo | None:
        """See Driver."""
        guest = self._files.read(server_id)
        return _info(guest) if guest is not None and guest.sequence else None

    def leftovers(self) -> set[str]:
        """See Driver."""
        return {guest.server_id for guest in self._files.read_all()}

    def console_log(self, server_id: str, lines: int | None) -> str:
        """See Driver."""
        guest = self._defined(server_id)
        text = [f'fake boot of {guest.name}', 'fake kernel started']
        if guest.committed:
            text.append(READY_LINE)
        kept = text if lines is None else text[-lines:] if lines > 0 else []
        return ''.join(f'{line}\n' for line in kept)

    # A build

    def make_network(self, spec: GuestSpec) -> tuple[Address, ...]:
        """See Driver."""
        self.act('make_network', spec.server_id)
        guest = self._files.read(spec.server_id) or FakeGuest(server_id=spec.server_id)
        if guest.addresses is None:
            addresses = () if spec.networks == 'none' else (address_of(spec.server_id),)
            guest = self._change(guest, addresses=addresses)
        return guest.addresses or ()

    def make_disk(self, spec: GuestSpec, token: Token, base: Path | None, progress: Progress) -> None:
        """See Driver."""
        self.act('make_disk', spec.server_id, progress)
        guest = self._files.read(spec.server_id) or FakeGuest(server_id=spec.server_id)
        if not guest.disk:
            self._change(guest, disk=token.operation_id, disk_bytes=max(1, spec.flavor.root_gb) * _GIB)

    def make_config_drive(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """See Driver."""
        self.act('make_config_drive', spec.server_id)
        guest = self._files.read(spec.server_id) or FakeGuest(server_id=spec.server_id)
        self._change(guest, config_drive=True)

    def start_paused(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """See Driver."""
        self.act('start_paused', spec.server_id)
        guest = self._files.read(spec.server_id) or FakeGuest(server_id=spec.server_id)
        marks: dict[str, Any] = {
            'sequence': token.sequence,
            'operation_id': token.operation_id,
            'attempt': token.attempt,
            'name': spec.name,
        }
        if guest.sequence == token.sequence and guest.power_state in (states.RUNNING, states.POWER_PAUSED):
            self._change(guest, **marks)
        elif not guest.disk:
            raise GuestError('the guest has no disk; build it again')
        else:
            guest = self._change(guest, **marks, committed=False)
            self._run_changed(guest, states.POWER_PAUSED, 'start_paused', 'build', run_id=_new_run_id())

    def resume(self, server_id: str) -> None:
        """See Driver."""
        self.act('resume', server_id)
        guest = self._defined(server_id)
        if guest.power_state == states.POWER_PAUSED:
            self._run_changed(guest, states.RUNNING, 'resume', 'resume', run_id=guest.run_id)
        elif guest.power_state == states.RUNNING:
            self._change(guest, committed=True)
        else:
            raise GuestError('the guest is off, so it cannot be resumed; start the server')

    # Power

    def power_on(self, server_id: str) -> None:
        """See Driver."""
        self.act('power_on', server_id)
        guest = self._defined(server_id)
        if guest.power_state == states.POWER_PAUSED:
            self._run_changed(guest, states.RUNNING, 'resume', 'power_on', run_id=guest.run_id)
        elif guest.power_state != states.RUNNING:
            self._run_changed(guest, states.RUNNING, 'start', 'power_on', run_id=_new_run_id())

    def power_off(self, server_id: str, graceful_s: float, progress: Progress) -> None:
        """See Driver. A fake guest obeys at once."""
        self.act('power_off', server_id, progress)
        self._cut_power(self._defined(server_id), 'power_off')

    def soft_reboot(self, server_id: str, timeout_s: float, progress: Progress) -> bool:
        """See Driver."""
        self.act('soft_reboot', server_id, progress)
        if self.ignores_soft_reboot:
            return False
        guest = self._cut_power(self._defined(server_id), 'soft_reboot')
        self._run_changed(guest, states.RUNNING, 'start', 'soft_reboot', run_id=_new_run_id())
        return True

    def hard_reboot(self, server_id: str) -> None:
        """See Driver."""
        self.act('hard_reboot', server_id)
        guest = self._cut_power(self._defined(server_id), 'hard_reboot')
        self._run_changed(guest, states.RUNNING, 'start', 'hard_reboot', run_id=_new_run_id())

    def die(self, server_id: str, power_state: int = states.SHUTDOWN) -> None:
        """For tests: the guest stops by itself."""
        self._cut_power(self._defined(server_id), 'died', power_state)

    def pause(self, server_id: str) -> None:
        """For tests: somebody pauses the guest."""
        guest = self._defined(server_id)
        self._run_changed(guest, states.POWER_PAUSED, 'pause', 'pause', run_id=guest.run_id)

    # Snapshot

    def end_copies(self, server_id: str) -> None:
        """See Driver."""
        self.act('end_copies', server_id)

    def copy_disk(self, server_id: str, target: Path, progress: Progress) -> None:
        """See Driver. The copy is an empty disk of the right size."""
        self.act('copy_disk', server_id, progress)
        target.write_bytes(qcow2.overlay(self._defined(server_id).disk_bytes or _GIB, None, ''))

    # The end

    def destroy(self, server_id: str) -> None:
        """See Driver."""
        self.act('destroy', server_id)
        guest = self._files.read(server_id)
        if guest is not None and guest.run_id is not None:
            self._log.append(new_event(self._host.host, server_id, guest.run_id, 'stop', 'destroy'))
        self._files.remove(server_id)
        if guest is not None and guest.sequence:
            self._on_power_change(server_id)

    # How it is done

    def _defined(self, server_id: str) -> FakeGuest:
        guest = self._files.read(server_id)
        if guest is None or not guest.sequence:
            raise GuestNotFound(f'server {server_id} has no guest on this host')
        return guest

    def _change(self, guest: FakeGuest, **changes: Any) -> FakeGuest:
        changed: FakeGuest = msgspec.structs.replace(guest, **changes)
        self._files.write(changed)
        return changed

    def _cut_power(self, guest: FakeGuest, why: str, power_state: int = states.SHUTDOWN) -> FakeGuest:
        if guest.run_id is None:
            return guest
        return self._run_changed(guest, power_state, 'stop', why, run_id=None)

    def _run_changed(
        self, guest: FakeGuest, power_state: int, event: str, why: str, *, run_id: str | None
    ) -> FakeGuest:
        """Change what a guest executes: the file, then the log, then who listens."""
        logged = new_event(self._host.host, guest.server_id, run_id or guest.run_id or '', event, why)
        changed = self._change(
            guest,
            power_state=power_state,
            run_id=run_id,
            committed=guest.committed or power_state == states.RUNNING,
            last_event=logged,
        )
        self._log.append(logged)
        self._on_power_change(guest.server_id)
        return changed


def _info(guest: FakeGuest) -> GuestInfo:
    return GuestInfo(
        server_id=guest.server_id,
        sequence=guest.sequence,
        operation_id=guest.operation_id,
        attempt=guest.attempt,
        power_state=guest.power_state,
        run_id=guest.run_id,
        committed=guest.committed,
    )


def _new_run_id() -> str:
    return uuid.uuid4().hex[:12]
