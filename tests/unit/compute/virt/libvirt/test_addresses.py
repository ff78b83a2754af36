"""Slots, reservations, and the choice of an address."""

import pytest

from cloudplane.compute.virt.libvirt import addresses
from cloudplane.compute.virt.libvirt.addresses import NetworkView, Reservation
from tests.unit.compute.virt.libvirt.specs import SERVER_ID


def network(cidr: str = '192.168.148.0/29', *taken: Reservation) -> NetworkView:
    """A network as libvirt shows it, some of its addresses taken."""
    text = addresses.network_xml('net', 'br0', cidr)
    dns = f'<dns>{"".join(reservation.to_xml() for reservation in taken)}</dns>'
    return addresses.parse_network(text.replace('</network>', f'{dns}</network>'))


def reservation(address: str, server_id: str = SERVER_ID, host: str = 'h1') -> Reservation:
    """Somebody has the address."""
    return Reservation(name=addresses.reservation_name(server_id, host), address=address)


def test_every_address_but_those_of_host_and_broadcast_is_a_slot() -> None:
    assert network().slots == tuple(f'192.168.148.{number}' for number in range(2, 7))
    assert network().subnet == '192.168.148.0/29'
    assert len(network('192.168.148.0/24').slots) == 253


def test_a_large_network_has_a_limited_number_of_slots() -> None:
    assert len(network('10.0.0.0/8').slots) == addresses.MOST_SLOTS


@pytest.mark.parametrize('cidr', ['192.168.148.0/30', '192.168.148.1/24', 'fd00::/64', 'nonsense'])
def test_a_network_that_cannot_be_is_refused(cidr: str) -> None:
    with pytest.raises(ValueError, match=cidr):
        addresses.network_xml('net', 'br0', cidr)


def test_each_slot_has_a_hardware_address_of_its_own() -> None:
    slots = network('10.0.0.0/20').slots
    assert len({addresses.mac_of(slot) for slot in slots}) == len(slots)
    assert addresses.mac_of('192.168.148.7') == 'fa:16:3e:a8:94:07'


def test_the_lowest_free_address_is_chosen() -> None:
    assert network().free_address() == '192.168.148.2'
    taken = [reservation('192.168.148.2'), reservation('192.168.148.3'), reservation('192.168.148.5')]
    assert network('192.168.148.0/29', *taken).free_address() == '192.168.148.4'


def test_a_full_network_has_no_address() -> None:
    taken = [reservation(f'192.168.148.{number}') for number in range(2, 7)]
    assert network('192.168.148.0/29', *taken).free_address() is None


def test_a_dns_entry_of_somebody_else_takes_its_address() -> None:
    other = Reservation(name='printer', address='192.168.148.2')
    assert network('192.168.148.0/29', other).free_address() == '192.168.148.3'


def test_a_reservation_is_found_by_its_name() -> None:
    mine = reservation('192.168.148.3')
    view = network('192.168.148.0/29', mine)
    assert view.reservation_of(addresses.reservation_name(SERVER_ID, 'h1')) == mine
    assert view.reservation_of(addresses.reservation_name(SERVER_ID, 'h2')) is None


def test_a_name_tells_its_server_to_its_own_host_alone() -> None:
    name = addresses.reservation_name(SERVER_ID, 'h1')
    assert addresses.server_of(name, 'h1') == SERVER_ID
    assert addresses.server_of(name, 'h2') is None
    assert addresses.server_of('printer', 'h1') is None
    assert len(name) < 64  # a DNS label


def test_a_network_made_by_others_has_no_slots() -> None:
    view = addresses.parse_network(
        "<network><name>default</name><ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>"
        "<range start='192.168.122.2' end='192.168.122.254'/><host mac='52:54:00:00:00:01' ip='192.168.122.9'/>"
        '</dhcp></ip></network>'
    )
    assert view == NetworkView(subnet='192.168.122.0/24', slots=(), reservations=())
    assert addresses.parse_network('<network><name>isolated</name></network>').slots == ()
