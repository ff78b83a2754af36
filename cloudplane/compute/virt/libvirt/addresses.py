"""Addresses of guests: pure functions on what the network's definition says.

Each address of the network is a *slot* with a hardware address of its own, and DHCP serves all slots from the start:
so a guest is given an address without a change to DHCP (with libvirt 9 such a change takes every firewall rule of the
network down and up again, 0.4 s in which no guest is reached). Who has which slot is noted in the network as well, as
a DNS name for the address: libvirt keeps that over restarts, and refuses a second one for the same address.
"""

import hashlib
import ipaddress
import re
import xml.etree.ElementTree as ET
from typing import Final

import msgspec

MOST_SLOTS: Final = 1021  # each is an entry in the definition, which is read for every guest
_NAME: Final = re.compile(r'cp-(?P<server_id>[0-9a-f-]{36})-(?P<tag>[0-9a-f]{8})')
_MAC_PREFIX: Final = 'fa:16:3e'  # locally administered


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that is taken."""

    name: str
    address: str

    def to_xml(self) -> str:
        """The DNS entry that notes it."""
        entry = ET.Element('host', ip=self.address)
        ET.SubElement(entry, 'hostname').text = self.name
        return ET.tostring(entry, encoding='unicode')


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """What a network's definition says."""

    subnet: str
    slots: tuple[str, ...]  # addresses, in ascending order
    reservations: tuple[Reservation, ...]

    def reservation_of(self, name: str) -> Reservation | None:
        """The reservation with this name."""
        return next((found for found in self.reservations if found.name == name), None)

    def free_address(self) -> str | None:
        """The lowest address that nobody has."""
        taken = {found.address for found in self.reservations}
        return next((address for address in self.slots if address not in taken), None)


def host_tag(host: str) -> str:
    """A short text that stands for a host's name: several agents may share one network."""
    return hashlib.sha256(host.encode()).hexdigest()[:8]


def reservation_name(server_id: str, host: str) -> str:
    """The name of a server's reservation."""
    return f'cp-{server_id}-{host_tag(host)}'


def server_of(name: str, host: str) -> str | None:
    """The server whose reservation has this name; None if it is not one of this host."""
    match = _NAME.fullmatch(name)
    return match['server_id'] if match and match['tag'] == host_tag(host) else None


def mac_of(address: str) -> str:
    """The hardware address of a slot: another one for each address of a network."""
    return ':'.join([_MAC_PREFIX, *(f'{byte:02x}' for byte in ipaddress.IPv4Address(address).packed[1:])])


def network_xml(name: str, bridge: str, cidr: str) -> str:
    """The definition of a new NAT network, whose first address is the host's. Raises ValueError for a bad `cidr`."""
    try:
        subnet = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f'{cidr} is not the range of an IPv4 network: {error}') from error
    if subnet.prefixlen > 29:
        raise ValueError(f'{cidr} has no room for guests: use /29 or larger')
    gateway, *slots = (subnet[number] for number in range(1, min(subnet.num_addresses - 1, MOST_SLOTS + 2)))
    network = ET.Element('network')
    ET.SubElement(network, 'name').text = name
    ET.SubElement(network, 'forward', mode='nat')
    ET.SubElement(network, 'bridge', name=bridge, stp='on', delay='0')
    ip = ET.SubElement(network, 'ip', address=str(gateway), prefix=str(subnet.prefixlen))
    dhcp = ET.SubElement(ip, 'dhcp')
    for slot in slots:
        ET.SubElement(dhcp, 'host', mac=mac_of(str(slot)), ip=str(slot))
    return ET.tostring(network, encoding='unicode')


def parse_network(text: str) -> NetworkView:
    """What a definition says; without slots if it is not one of ours."""
    root = ET.fromstring(text)
    ip = root.find('ip')
    subnet, slots = '', []
    if ip is not None and ip.get('family', 'ipv4') == 'ipv4':
        mask = ip.get('prefix') or ip.get('netmask')
        subnet = str(ipaddress.IPv4Network(f'{ip.get("address")}/{mask}', strict=False))
        for entry in ip.iterfind('dhcp/host'):
            address = entry.attrib['ip']
            if entry.get('mac') == mac_of(address):
                slots.append(address)
    reservations = tuple(
        Reservation(name=name.text or '', address=entry.get('ip', ''))
        for entry in root.iterfind('dns/host')
        for name in entry.iterfind('hostname')
    )
    return NetworkView(subnet=subnet, slots=tuple(slots), reservations=reservations)
