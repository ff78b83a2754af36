"""Servers."""

import hashlib
from typing import Any, Final

from cloudplane import states
from cloudplane.api.compute.links import Links
from cloudplane.api.compute.views import times
from cloudplane.objects.server import Address, Fault, Server

_WITH_PROGRESS: Final = ('ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING')
_WITH_FAULT: Final = ('ERROR', 'DELETED')
# There is one security group, and every server is in it.
SECURITY_GROUPS: Final = [{'name': 'default'}]


def summary(server: Server, links: Links) -> dict[str, Any]:
    """As in a plain list."""
    return {'id': server.id, 'name': server.name, 'links': links.both('servers', server.id)}


def basic(server: Server, links: Links, *, for_admin: bool) -> dict[str, Any]:
    """As answered to an update."""
    status = states.status(server.vm_state, server.task_state)
    shown: dict[str, Any] = {
        'id': server.id,
        'name': server.name,
        'status': status,
        'tenant_id': server.project_id,
        'user_id': server.user_id,
        'metadata': server.metadata,
        'hostId': _host_id(server),
        'image': _image(server, links),
        'flavor': {'id': server.flavor.id, 'links': links.bookmark('flavors', server.flavor.id)},
        'created': times.with_z(server.created_at),
        'updated': times.with_z(server.updated_at or server.created_at),
        'addresses': _addresses(server, _plain_address),
        'accessIPv4': server.access_ip_v4,
        'accessIPv6': server.access_ip_v6,
        'links': links.both('servers', server.id),
        'OS-DCF:diskConfig': server.disk_config,
    }
    if status in _WITH_PROGRESS:
        shown['progress'] = 0
    if server.fault is not None and status in _WITH_FAULT:
        shown['fault'] = _fault(server.fault, for_admin=for_admin)
    return shown


def show(server: Server, links: Links, *, for_admin: bool) -> dict[str, Any]:
    """All of it. `for_admin`: with where it runs, and the details of its fault."""
    shown = {
        **basic(server, links, for_admin=for_admin),
        'addresses': _addresses(server, _address),
        'key_name': server.key_name,
        'config_drive': 'True' if server.config_drive else '',
        'security_groups': SECURITY_GROUPS,
        'OS-EXT-AZ:availability_zone': server.availability_zone or '',
        'OS-EXT-STS:power_state': server.power_state,
        'OS-EXT-STS:task_state': server.task_state,
        'OS-EXT-STS:vm_state': server.vm_state,
        'OS-SRV-USG:launched_at': times.with_microseconds(server.launched_at),
        'OS-SRV-USG:terminated_at': times.with_microseconds(server.terminated_at),
        'os-extended-volumes:volumes_attached': [],
    }
    if for_admin:
        shown['OS-EXT-SRV-ATTR:host'] = server.host
        shown['OS-EXT-SRV-ATTR:hypervisor_hostname'] = server.hypervisor_hostname
        shown['OS-EXT-SRV-ATTR:instance_name'] = f'cp-{server.id}'  # the name of its libvirt domain
    return shown


def _host_id(server: Server) -> str:
    """The same for two servers of a project on one host, and tells nothing else of the host."""
    if server.host is None:
        return ''
    return hashlib.sha224(f'{server.project_id}{server.host}'.encode(), usedforsecurity=False).hexdigest()


def _image(server: Server, links: Links) -> dict[str, Any] | str:
    if server.image_id is None:
        return ''
    return {'id': server.image_id, 'links': links.bookmark('images', server.image_id)}


def _addresses(server: Server, view: Any) -> dict[str, list[dict[str, Any]]]:
    shown: dict[str, list[dict[str, Any]]] = {}
    if server.vm_state != states.BUILDING:
        for address in server.addresses:
            shown.setdefault(address.network, []).append(view(address))
    return shown


def _plain_address(address: Address) -> dict[str, Any]:
    return {'addr': address.address, 'version': address.version}


def _address(address: Address) -> dict[str, Any]:
    return {
        'addr': address.address,
        'version': address.version,
        'OS-EXT-IPS:type': address.type,
        'OS-EXT-IPS-MAC:mac_addr': address.mac,
    }


def _fault(fault: Fault, *, for_admin: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        'code': fault.code,
        'created': times.with_z(fault.created_at),
        'message': fault.message,
    }
    if for_admin and fault.details:
        shown['details'] = fault.details
    return shown
