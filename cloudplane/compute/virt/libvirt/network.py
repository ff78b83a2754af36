"""The NAT network that guests are connected to, and who has which of its addresses. How that is noted: addresses.py."""

import contextlib
import logging
import threading
from typing import Any, Final

import libvirt

from cloudplane.compute.virt.libvirt import addresses
from cloudplane.compute.virt.libvirt.addresses import NetworkView, Reservation
from cloudplane.compute.virt.libvirt.connection import Connection
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings
from cloudplane.exceptions import ConfigurationError, GuestError
from cloudplane.objects.server import Address

LOG = logging.getLogger(__name__)

_EVERYWHERE: Final = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
_TRIES: Final = 20


class _Taken(Exception):
    """libvirt refused: its list is no longer what we saw."""


class Network:
    """One libvirt network."""

    def __init__(self, connection: Connection, settings: LibvirtSettings, host: str) -> None:
        self._connection, self._host = connection, host
        self._name, self._bridge, self._cidr = settings.network_name, settings.network_bridge, settings.network_cidr
        self._choosing = threading.Lock()  # two threads that choose at once would choose the same

    @property
    def name(self) -> str:
        """Its name in libvirt, and the label that clients see."""
        return self._name

    def prepare(self) -> None:
        """Make and start the network; ConfigurationError says why that is not possible."""
        try:
            view = self._connection.call(f'prepare the network {self._name}', lambda it: _view(self._active(it)))
        except ValueError as error:
            raise ConfigurationError(f'[libvirt] network_cidr: {error}') from error
        if not view.slots:
            raise ConfigurationError(
                f'The libvirt network {self._name} was not made by cloudplane: set [libvirt] network_name to another '
                f'name, or remove it (virsh net-destroy {self._name}; virsh net-undefine {self._name})'
            )
        if view.subnet != self._cidr:
            LOG.warning('The network %s exists with %s, not %s: used as it is', self._name, view.subnet, self._cidr)

    def reserve(self, server_id: str) -> Address:
        """The address of a server: the one that it has, or a free one."""
        for _ in range(_TRIES):
            with self._choosing, contextlib.suppress(_Taken):
                return self._connection.call(
                    f'reserve an address for {server_id}', lambda it: self._reserve(self._active(it), server_id)
                )
        raise GuestError(f'No address could be reserved in the network {self._name}: others were always faster')

    def restore(self, server_id: str, address: Address) -> None:
        """Give a server the address again that it had, if the network has lost it."""
        wanted = Reservation(name=addresses.reservation_name(server_id, self._host), address=address.address)

        def repair(libvirtd: Any) -> None:
            network = self._active(libvirtd)
            found = _view(network).reservation_of(wanted.name)
            if found == wanted:
                return
            if found is not None:
                _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, found)
            _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, wanted)

        try:
            self._connection.call(f'restore the address of {server_id}', repair)
        except _Taken as error:
            raise GuestError(f'The address {address.address} of {server_id} belongs to another guest now') from error

    def release(self, server_id: str) -> None:
        """Give a server's address back. It has none: nothing."""
        name = addresses.reservation_name(server_id, self._host)

        def remove(libvirtd: Any) -> None:
            network = self._find(libvirtd)
            found = _view(network).reservation_of(name) if network is not None else None
            if found is not None:
                with contextlib.suppress(_Taken):  # it went away meanwhile
                    _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, found)

        self._connection.call(f'release the address of {server_id}', remove)

    def server_ids(self) -> set[str]:
        """The servers of this host that have an address."""

        def look(libvirtd: Any) -> tuple[Reservation, ...]:
            network = self._find(libvirtd)
            return _view(network).reservations if network is not None else ()

        found = self._connection.call(f'look at the network {self._name}', look)
        servers = (addresses.server_of(reservation.name, self._host) for reservation in found)
        return {server_id for server_id in servers if server_id is not None}

    # In a native thread.

    def _reserve(self, network: Any, server_id: str) -> Address:
        view = _view(network)
        name = addresses.reservation_name(server_id, self._host)
        found = view.reservation_of(name)
        address = found.address if found is not None else view.free_address()
        if address is None:
            raise GuestError(f'All {len(view.slots)} addresses of the network {self._name} are taken')
        if found is None:
            wanted = Reservation(name=name, address=address)
            _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, wanted)
        return Address(network=self._name, address=address, mac=addresses.mac_of(address))

    def _find(self, libvirtd: Any) -> Any:
        try:
            return libvirtd.networkLookupByName(self._name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
                return None
            raise

    def _active(self, libvirtd: Any) -> Any:
        """The network, made if it is not there and started if it does not run."""
        network = self._find(libvirtd)
        if network is None:
            network = libvirtd.networkDefineXML(addresses.network_xml(self._name, self._bridge, self._cidr))
        if not network.isActive():
            try:
                network.create()
            except libvirt.libvirtError:
                if not network.isActive():  # else somebody was faster
                    raise
        return network


def _view(network: Any) -> NetworkView:
    return addresses.parse_network(network.XMLDesc())


def _update(network: Any, command: int, reservation: Reservation) -> None:
    try:
        network.update(command, libvirt.VIR_NETWORK_SECTION_DNS_HOST, -1, reservation.to_xml(), _EVERYWHERE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:  # it is there already, or not there any more
            raise _Taken(error.get_error_message()) from error
        raise
