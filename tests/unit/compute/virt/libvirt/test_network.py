"""Reserving and giving back addresses."""

import threading
from collections.abc import Callable, Iterator

import libvirt
import pytest

from cloudplane.compute.virt.libvirt.addresses import Reservation, reservation_name
from cloudplane.compute.virt.libvirt.connection import Connection
from cloudplane.compute.virt.libvirt.network import Network
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError, GuestError
from tests.unit.compute.virt.libvirt.fake_libvirt import FakeLibvirtd, FakeNetwork
from tests.unit.compute.virt.libvirt.specs import SERVER_ID

OTHER_ID = '9c1fbe0e-1111-4b0a-9a3f-0a3d7c9f5a22'
THIRD_ID = '9c1fbe0e-2222-4b0a-9a3f-0a3d7c9f5a33'
MakeNetwork = Callable[..., Network]


@pytest.fixture
def libvirtd() -> FakeLibvirtd:
    """A libvirt with networks."""
    return FakeLibvirtd()


@pytest.fixture
def make(libvirtd: FakeLibvirtd, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeNetwork]:
    """Makes the network as the agent of a host sees it."""
    monkeypatch.setattr(libvirt, 'open', lambda _uri: libvirtd)
    connection = Connection('test:///', BlockingPool('test', 4), timeout_s=1)

    def make_network(host: str = 'h1', cidr: str = '192.168.148.0/29') -> Network:
        return Network(connection, LibvirtSettings(network_name='net', network_cidr=cidr), host)

    yield make_network
    connection.close()


def test_the_network_is_made_once(make: MakeNetwork, libvirtd: FakeLibvirtd) -> None:
    make().prepare()
    network = libvirtd.networks['net']
    make().prepare()
    assert libvirtd.networks == {'net': network}
    assert network.starts == 1


def test_a_network_that_was_stopped_is_started(make: MakeNetwork, libvirtd: FakeLibvirtd) -> None:
    make().prepare()
    libvirtd.networks['net'].active = False
    make().reserve(SERVER_ID)
    assert libvirtd.networks['net'].starts == 2


def test_a_network_of_somebody_else_is_refused(make: MakeNetwork, libvirtd: FakeLibvirtd) -> None:
    libvirtd.networks['net'] = FakeNetwork("<network><name>net</name><ip address='10.0.0.1' prefix='24'/></network>")
    with pytest.raises(ConfigurationError, match='network_name'):
        make().prepare()


def test_a_range_that_cannot_be_is_refused_by_its_option(make: MakeNetwork) -> None:
    with pytest.raises(ConfigurationError, match='network_cidr'):
        make(cidr='10.0.0.0/31').prepare()


def test_a_network_that_exists_keeps_its_range(make: MakeNetwork) -> None:
    make().prepare()
    other = make(cidr='10.0.0.0/24')
    other.prepare()
    assert other.reserve(SERVER_ID).address == '192.168.148.2'


def test_a_server_keeps_its_address(make: MakeNetwork) -> None:
    first = make().reserve(SERVER_ID)
    make().reserve(OTHER_ID)
    assert make().reserve(SERVER_ID) == first
    assert (first.network, first.address, first.mac) == ('net', '192.168.148.2', 'fa:16:3e:a8:94:02')


def test_an_address_given_back_is_given_again(make: MakeNetwork) -> None:
    first = make().reserve(SERVER_ID)
    make().release(SERVER_ID)
    make().release(SERVER_ID)
    assert make().reserve(OTHER_ID) == first


def test_a_full_network_says_so(make: MakeNetwork) -> None:
    for number in range(5):
        make().reserve(f'9c1fbe0e-0000-4b0a-9a3f-00000000000{number}')
    with pytest.raises(GuestError, match='All 5 addresses of the network net are taken'):
        make().reserve(SERVER_ID)


def test_each_host_sees_its_own_servers(make: MakeNetwork) -> None:
    make('h1').reserve(SERVER_ID)
    make('h2').reserve(OTHER_ID)
    assert make('h1').server_ids() == {SERVER_ID}
    make('h1').release(OTHER_ID)
    assert make('h2').server_ids() == {OTHER_ID}


def test_without_a_network_there_is_nothing_to_see_or_to_give_back(make: MakeNetwork) -> None:
    make().release(SERVER_ID)
    assert make().server_ids() == set()


def test_an_address_that_the_network_has_lost_is_restored(make: MakeNetwork, libvirtd: FakeLibvirtd) -> None:
    network = make()
    address = network.reserve(SERVER_ID)
    libvirtd.networks.clear()
    network.restore(SERVER_ID, address)
    network.restore(SERVER_ID, address)
    assert network.reserve(SERVER_ID) == address


def test_an_address_that_differs_is_changed_back(make: MakeNetwork) -> None:
    network = make()
    wanted = network.reserve(SERVER_ID)
    network.release(SERVER_ID)
    network.reserve(OTHER_ID)
    network.reserve(SERVER_ID)
    network.release(OTHER_ID)
    network.restore(SERVER_ID, wanted)
    assert network.reserve(SERVER_ID) == wanted


def test_an_address_that_another_has_is_not_taken_away(make: MakeNetwork) -> None:
    network = make()
    address = network.reserve(SERVER_ID)
    network.release(SERVER_ID)
    network.reserve(OTHER_ID)
    with pytest.raises(GuestError, match='belongs to another guest'):
        network.restore(SERVER_ID, address)


def test_one_who_was_slower_takes_the_next_address(
    make: MakeNetwork, libvirtd: FakeLibvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the address between our look and our entry."""
    network, rival = make('h1'), make('h2')
    theirs = Reservation(name=reservation_name(OTHER_ID, 'h2'), address='192.168.148.2')
    network.prepare()
    fake = libvirtd.networks['net']
    update, interfered = fake.update, threading.Event()

    def interfere(command: int, section: int, parent: int, text: str, flags: int) -> None:
        if not interfered.is_set():
            interfered.set()
            update(command, section, parent, theirs.to_xml(), flags)
        update(command, section, parent, text, flags)

    monkeypatch.setattr(fake, 'update', interfere)
    assert network.reserve(SERVER_ID).address == '192.168.148.3'
    assert rival.reserve(OTHER_ID).address == '192.168.148.2'


def test_servers_that_ask_at_once_get_addresses_of_their_own(make: MakeNetwork) -> None:
    networks = [make('h1', '10.0.0.0/24'), make('h2', '10.0.0.0/24')]
    networks[0].prepare()
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda number: found.append(
                networks[number % 2].reserve(f'9c1fbe0e-0000-4b0a-9a3f-0000000000{number:02d}').address
            ),
            args=(number,),
        )
        for number in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f'10.0.0.{number}' for number in range(2, 42))
