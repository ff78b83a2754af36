"""Addresses of guests: pure functions on what the network's definition says.

The record of who has which address is libvirt's network itself: its list of fixed DHCP leases. An entry's name holds
the server's id, and a tag of the agent's host because several agents may share one network.
"""

import hashlib
import ipaddress
import re
import xml.etree.ElementTree as ET
from typing import Final

import msgspec

_NAME: Final = re.compile(r'cp-(?P<server_id>[0-9a-f-]{36})-(?P<tag>[0-9a-f]{8})')


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One fixed address."""

    name: str
    mac: str
    address: str

    def to_xml(self) -> str:
        """The entry for libvirt's list."""
        entry = ET.Element('host', mac=self.mac, name=self.name, ip=self.address)
        return ET.tostring(entry, encoding='unicode')


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """What a network's definition says."""

    gateway: str
    subnet: ipaddress.IPv4Network
    leases: tuple[Lease, ...]

    def lease_of(self, name: str) -> Lease | None:
        """The entry with this name."""
        return next((lease for lease in self.leases if lease.name == name), None)


def host_tag(host: str) -> str:
    """A short text that stands for a host's name."""
    return hashlib.sha256(host.encode()).hexdigest()[:8]


def lease_name(server_id: str, host: str) -> str:
    """The name of a server's entry."""
    return f'cp-{server_id}-{host_tag(host)}'


def server_of(name: str, host: str) -> str | None:
    """The server whose entry has this name; None if it is not one of this host."""
    match = _NAME.fullmatch(name)
    return match['server_id'] if match and match['tag'] == host_tag(host) else None


def mac_of(server_id: str, collision: int = 0) -> str:
    """The hardware address of a server's interface; another one for each collision."""
    digest = hashlib.sha256(f'{server_id}/{collision}'.encode()).digest()
    return ':'.join(f'{byte:02x}' for byte in (0xFA, 0x16, 0x3E, *digest[:3]))


def free_mac(server_id: str, leases: tuple[Lease, ...]) -> str:
    """The first of a server's hardware addresses that no other has."""
    taken = {lease.mac.lower() for lease in leases}
    return next(mac for collision in range(len(taken) + 1) if (mac := mac_of(server_id, collision)) not in taken)


def network_xml(name: str, bridge: str, cidr: str) -> str:
    """The definition of a new NAT network. Only guests that have a fixed lease are given an address."""
    subnet = ipaddress.IPv4Network(cidr)
    network = ET.Element('network')
    ET.SubElement(network, 'name').text = name
    ET.SubElement(network, 'forward', mode='nat')
    ET.SubElement(network, 'bridge', name=bridge, stp='on', delay='0')
    ip = ET.SubElement(network, 'ip', address=str(subnet[1]), prefix=str(subnet.prefixlen))
    dhcp = ET.SubElement(ip, 'dhcp')
    # Without a range dnsmasq serves fixed leases alone, and without one lease libvirt would not start its DHCP at all.
    ET.SubElement(dhcp, 'host', mac='fa:16:3e:00:00:00', name='cloudplane-keeps-dhcp-on', ip=str(subnet[-2]))
    return ET.tostring(network, encoding='unicode')


def parse_network(text: str) -> NetworkView | None:
    """What a definition says; None if it has no IPv4 addresses to give."""
    root = ET.fromstring(text)
    for ip in root.iterfind('ip'):
        if ip.get('family', 'ipv4') == 'ipv4':
            gateway = ip.get('address', '')
            mask = ip.get('prefix') or ip.get('netmask') or '24'
            leases = tuple(
                Lease(name=entry.get('name', ''), mac=entry.get('mac', ''), address=entry.get('ip', ''))
                for entry in ip.iterfind('dhcp/host')
            )
            subnet = ipaddress.IPv4Network(f'{gateway}/{mask}', strict=False)
            return NetworkView(gateway=gateway, subnet=subnet, leases=leases)
    return None


def choose_address(view: NetworkView, in_use: frozenset[str]) -> str | None:
    """A free address, the lowest; one that a guest which is gone still has in use is the second choice."""
    fixed = {lease.address for lease in view.leases} | {view.gateway}
    second: str | None = None
    for address in view.subnet.hosts():
        text = str(address)
        if text in fixed:
            continue
        if text not in in_use:
            return text
        second = second or text
    return second
