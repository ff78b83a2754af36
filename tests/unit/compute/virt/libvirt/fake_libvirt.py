"""The few objects of libvirt's bindings that the driver's modules are tried with, without a libvirtd."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import libvirt

from tests.unit.compute.virt.libvirt.specs import libvirt_error


class FakeConnection:
    """A connection that can be cut."""

    def __init__(self) -> None:
        self.alive = True
        self.keepalive: tuple[int, int] | None = None
        self.callbacks: dict[int, Callable[..., None]] = {}
        self.on_close: Callable[..., None] | None = None

    def setKeepAlive(self, interval: int, count: int) -> None:  # noqa: N802 - libvirt's name
        self.keepalive = (interval, count)

    def isAlive(self) -> int:  # noqa: N802
        return int(self.alive)

    def getLibVersion(self) -> int:  # noqa: N802
        return int(self.ask(9000000))

    def ask(self, answer: Any = 'answer') -> Any:
        """Something that needs the daemon."""
        if not self.alive:
            raise libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR, 'client socket is closed')
        return answer

    def registerCloseCallback(self, callback: Callable[..., None], _opaque: None) -> None:  # noqa: N802
        self.on_close = callback

    def unregisterCloseCallback(self) -> None:  # noqa: N802
        self.on_close = None

    def domainEventRegisterAny(  # noqa: N802
        self, _domain: None, number: int, callback: Callable[..., None], _opaque: None
    ) -> int:
        self.callbacks[number] = callback
        return number

    def domainEventDeregisterAny(self, number: int) -> None:  # noqa: N802
        del self.callbacks[number]
        if not self.alive:
            raise libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR, 'client socket is closed')


class FakeDaemon:
    """Opens connections while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.opened: list[FakeConnection] = []
        self.attempts = 0

    def open(self, _uri: str) -> FakeConnection:
        self.attempts += 1
        if not self.up:
            raise libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, 'Failed to connect socket')
        self.opened.append(FakeConnection())
        return self.opened[-1]

    def crash(self) -> None:
        """All connections are cut."""
        for connection in self.opened:
            connection.alive = False


class FakeDomain:
    """A domain with a name."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id

    def UUIDString(self) -> str:  # noqa: N802
        return self._server_id


class FakeNetwork:
    """A network that keeps its DNS entries, and refuses a second one for an address, as libvirt does."""

    def __init__(self, text: str) -> None:
        self._root = ET.fromstring(text)
        self.active = False
        self.starts = 0

    def isActive(self) -> int:  # noqa: N802
        return int(self.active)

    def create(self) -> None:
        self.active = True
        self.starts += 1

    def XMLDesc(self) -> str:  # noqa: N802
        return ET.tostring(self._root, encoding='unicode')

    def update(self, command: int, section: int, _parent: int, text: str, flags: int) -> None:
        assert section == libvirt.VIR_NETWORK_SECTION_DNS_HOST
        assert flags == libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
        entry = ET.fromstring(text)
        dns = self._root.find('dns')
        if dns is None:
            dns = ET.SubElement(self._root, 'dns')
        same = [found for found in dns if found.get('ip') == entry.get('ip')]
        removes = command == libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
        if removes != bool(same):
            raise libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID, 'there is already a record, or none')
        if removes:
            dns.remove(same[0])
        else:
            dns.append(entry)


class FakeLibvirtd(FakeConnection):
    """A connection to a daemon with networks."""

    def __init__(self) -> None:
        super().__init__()
        self.networks: dict[str, FakeNetwork] = {}

    def networkLookupByName(self, name: str) -> FakeNetwork:  # noqa: N802
        if name not in self.networks:
            raise libvirt_error(libvirt.VIR_ERR_NO_NETWORK, 'no network')
        return self.networks[name]

    def networkDefineXML(self, text: str) -> FakeNetwork:  # noqa: N802
        name = ET.fromstring(text).findtext('name') or ''
        self.networks[name] = FakeNetwork(text)
        return self.networks[name]
