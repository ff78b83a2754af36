"""The driver: the contract of compute/virt/driver.py, put together from the modules beside this one."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from cloudplane.compute.virt.driver import Driver, GuestInfo, Progress, Token
from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.compute.virt.libvirt import (
    capabilities,
    config_drive,
    console,
    domain_xml,
    events,
    guest,
    power,
)
from cloudplane.compute.virt.libvirt.capabilities import Capabilities, Machine
from cloudplane.compute.virt.libvirt.connection import Connection
from cloudplane.compute.virt.libvirt.domain_xml import Nic
from cloudplane.compute.virt.libvirt.events import Event, Events
from cloudplane.compute.virt.libvirt.guest import Guest
from cloudplane.compute.virt.libvirt.marks import Marks
from cloudplane.compute.virt.libvirt.network import Network
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings, settings_from
from cloudplane.compute.virt.libvirt.snapshot import Snapshots
from cloudplane.compute.virt.libvirt.storage import GuestRecord, Storage
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError, GuestError, HypervisorUnavailable
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address

LOG = logging.getLogger(__name__)

_START_S: Final = 10.0  # how long a start waits for libvirtd
_POOL_SIZE: Final = 8
_SLOW_S: Final = 1.5
# A libvirtd that was restarted tells nobody of guests that die before it has found its QEMUs again.
_SETTLE_S: Final = 5.0


class LibvirtDriver(Driver):
    """Guests under libvirt on this machine."""

    def __init__(
        self, settings: LibvirtSettings, host: HostSettings, state_path: Path, pool: BlockingPool | None = None
    ) -> None:
        self._settings, self._host = settings, host
        self._pool = pool or BlockingPool('libvirt', _POOL_SIZE)
        self._events = Events(self._on_event)
        self._connection = Connection(
            settings.uri,
            self._pool,
            timeout_s=settings.connect_timeout_s,
            keepalive=(settings.keepalive_interval_s, settings.keepalive_count),
            on_open=self._events.register,
            on_close=self._events.unregister,
        )
        self._storage = Storage(state_path, self._pool)
        self._network = Network(self._connection, settings, host.host)
        self._snapshots = Snapshots(self._storage, self._events, self._pool)
        self._machine: Machine | None = None
        self._on_power_change: Callable[[str], None] = lambda _server_id: None

    # The host

    @classmethod
    def from_conf(cls, conf: Any, host: HostSettings, state_path: Path) -> Self:
        """See Driver."""
        return cls(settings_from(conf.libvirt), host, state_path)

    def start(self) -> None:
        """See the contract."""
        try:
            found = self._ask_capabilities(_START_S)
            self._machine = self._choose_machine(found)
            self._storage.prepare(found.qemu_user)
            self._network.prepare()
        except HypervisorUnavailable as error:
            raise ConfigurationError(
                f'{error} Start it (systemctl start libvirtd; without systemd: libvirtd -d and virtlogd -d), '
                'or set [libvirt] uri.'
            ) from error
        except GuestError as error:
            raise ConfigurationError(f'This host cannot run guests: {error}') from error
        self._events.start()

    def _ask_capabilities(self, timeout_s: float) -> Capabilities:
        """Ask twice if it took long: the first answer after an installation does, every answer means trouble."""
        for _ in range(2):
            started_s = time.monotonic()
            found = self._connection.call('ask libvirt what it can do', capabilities.read, timeout_s=timeout_s)
            if time.monotonic() - started_s < _SLOW_S:
                return found
        LOG.warning(
            'libvirt takes %.1f s for an answer: it examines QEMU anew every time, as it does where /dev/kvm exists '
            "and QEMU's user may not open it (chgrp kvm /dev/kvm; chmod 0660 /dev/kvm)",
            time.monotonic() - started_s,
        )
        return found

    def _choose_machine(self, found: Capabilities) -> Machine:
        machine = capabilities.choose_machine(self._settings, found, capabilities.CPUINFO.read_text())
        LOG.info('Guests run as %s on %s %s', machine.virt_type, machine.machine_type, machine.architecture)
        return machine

    def stop(self) -> None:
        """See the contract."""
        self._connection.close()
        self._events.stop()

    def inventory(self) -> HostInventory:
        """See the contract."""
        found = self._connection.call('ask libvirt what it can do', capabilities.read)
        return capabilities.inventory(self._host, found, self._storage.disk_gb())

    def unusable_because(self) -> str | None:
        """See the contract."""
        return self._connection.lost_because

    def guests(self) -> list[GuestInfo]:
        """See the contract."""
        return guest.all_guests(self._connection, self._host.host)

    def guest(self, server_id: str) -> GuestInfo | None:
        """See the contract."""
        return self._guest(server_id).info()

    def leftovers(self) -> set[str]:
        """See the contract."""
        defined = {info.server_id for info in self.guests()}
        return defined | self._storage.server_ids() | self._network.server_ids()

    def listen(self, on_power_change: Callable[[str], None]) -> None:
        """See the contract."""
        self._on_power_change = on_power_change

    def _on_event(self, event: Event) -> None:
        """In the thread that hands out events."""
        if event.kind == events.LOST:
            self._connection.revive()
        elif event.kind == events.CONNECTED:
            self._events.tell_later(Event(events.SETTLED), _SETTLE_S)
            self._tell_of_all()
        elif event.kind == events.SETTLED:
            self._tell_of_all()
        elif event.kind == events.POWER and self._storage.exists(event.domain_uuid):
            self._on_power_change(event.domain_uuid)

    def _tell_of_all(self) -> None:
        """What happened while there was no connection, nobody was told."""
        for info in self.guests():
            self._on_power_change(info.server_id)

    # A build

    def make_network(self, spec: GuestSpec) -> tuple[Address, ...]:
        """See the contract."""
        if spec.networks == 'none':
            return ()
        return (self._network.reserve(spec.server_id),)

    def make_disk(self, spec: GuestSpec, token: Token, base: Path | None, progress: Progress) -> None:
        """See the contract."""
        self._storage.make_root_disk(spec, token, base)

    def make_config_drive(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """See the contract."""
        if spec.config_drive:
            content = config_drive.image(config_drive.contents(spec, addresses))
            self._storage.write_config_drive(spec.server_id, token, content)

    def start_paused(self, spec: GuestSpec, token: Token, addresses: tuple[Address, ...]) -> None:
        """See the contract."""
        record = GuestRecord(
            spec=spec,
            addresses=addresses,
            sequence=token.sequence,
            operation_id=token.operation_id,
            attempt=token.attempt,
        )
        self._storage.write_record(record)
        self._guest(spec.server_id).start_paused(self._xml_maker(record), token)

    def resume(self, server_id: str) -> None:
        """See the contract."""
        self._guest(server_id).power_on()

    # Power

    def power_on(self, server_id: str) -> None:
        """See the contract."""
        self._guest(server_id).power_on()

    def power_off(self, server_id: str, graceful_s: float, progress: Progress) -> None:
        """See the contract."""
        power.turn_off(self._guest(server_id), server_id, self._events, graceful_s, progress)

    def soft_reboot(self, server_id: str, timeout_s: float, progress: Progress) -> bool:
        """See the contract."""
        return power.reboot(self._guest(server_id), server_id, self._events, timeout_s, progress)

    def hard_reboot(self, server_id: str) -> None:
        """See the contract."""
        record = self._storage.read_record(server_id)
        if record is None:
            self._guest(server_id).restart(None, None)
            return
        for address in record.addresses:
            self._network.restore(server_id, address)
        gone = Marks(
            server_id=server_id,
            host=self._host.host,
            sequence=record.sequence,
            operation_id=record.operation_id,
            attempt=record.attempt,
            run='',
        )
        self._guest(server_id).restart(self._xml_maker(record), gone)

    # Snapshot

    def end_copies(self, server_id: str) -> None:
        """See the contract."""
        self._snapshots.end(self._guest(server_id), server_id)

    def copy_disk(self, server_id: str, target: Path, progress: Progress) -> None:
        """See the contract."""
        self._snapshots.copy(self._guest(server_id), server_id, target, progress)

    # The end

    def destroy(self, server_id: str) -> None:
        """See the contract."""
        self._guest(server_id).remove()
        self._network.release(server_id)
        self._storage.remove(server_id)

    def console_log(self, server_id: str, lines: int | None) -> str:
        """See the contract."""
        log = self._storage.files(server_id, config_drive=False).console_log
        return self._pool.run(console.tail, log, lines)

    def _guest(self, server_id: str) -> Guest:
        return Guest(self._connection, self._host.host, server_id)

    def _xml_maker(self, record: GuestRecord) -> Callable[[Marks], str]:
        """What makes the definition of a guest, but for its marks."""
        if self._machine is None:
            raise HypervisorUnavailable('The driver has not been started')
        machine, spec = self._machine, record.spec
        files = self._storage.files(spec.server_id, config_drive=spec.config_drive)
        nics = tuple(Nic(mac=address.mac, network=self._network.name) for address in record.addresses)

        def make(marks: Marks) -> str:
            return domain_xml.build(
                spec, machine, files, nics, marks, disk_cache=self._settings.disk_cache, vnc=self._settings.vnc_enabled
            )

        return make
