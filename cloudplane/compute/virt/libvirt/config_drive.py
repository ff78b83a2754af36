"""The config drive: what a guest is told at its first boot, in OpenStack's format, as an ISO 9660 image.

Cloud-init and its like look for a volume `config-2` with openstack/latest/meta_data.json and so on.
"""

import base64
import binascii
import io
import secrets
from typing import Any, Final

import msgspec
import pycdlib

from cloudplane.exceptions import GuestInvalid
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address

LABEL: Final = 'config-2'
_FOLDER: Final = 'openstack/latest'
_RANDOM_SEED_BYTES: Final = 512


def contents(spec: GuestSpec, addresses: tuple[Address, ...], dns: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The files of the drive by path."""
    files = {
        f'{_FOLDER}/meta_data.json': msgspec.json.encode(_meta_data(spec)),
        f'{_FOLDER}/network_data.json': msgspec.json.encode(_network_data(addresses, dns)),
        f'{_FOLDER}/vendor_data.json': b'{}',
    }
    if spec.user_data is not None:
        try:
            files[f'{_FOLDER}/user_data'] = base64.b64decode(spec.user_data, validate=True)
        except binascii.Error as error:
            raise GuestInvalid(f'The user data is not base64: {error}') from error
    return files


def _meta_data(spec: GuestSpec) -> dict[str, Any]:
    meta: dict[str, Any] = {
        'uuid': spec.server_id,
        'name': spec.name,
        'hostname': spec.hostname,
        'availability_zone': spec.availability_zone,
        'launch_index': spec.launch_index,
        'project_id': spec.project_id,
        'meta': spec.metadata,
        'devices': [],
        'random_seed': base64.b64encode(secrets.token_bytes(_RANDOM_SEED_BYTES)).decode(),
    }
    if spec.public_key is not None:
        name = spec.key_name or 'key'
        meta['public_keys'] = {name: spec.public_key}
        meta['keys'] = [{'name': name, 'type': 'ssh', 'data': spec.public_key}]
    if spec.admin_pass is not None:
        meta['admin_pass'] = spec.admin_pass
    if spec.reservation_id:
        meta['reservation_id'] = spec.reservation_id
    return meta


def _network_data(addresses: tuple[Address, ...], dns: tuple[str, ...]) -> dict[str, Any]:
    links = [
        {'id': f'nic{number}', 'type': 'phy', 'ethernet_mac_address': address.mac, 'mtu': None}
        for number, address in enumerate(addresses)
    ]
    networks = [
        {'id': f'network{number}', 'type': 'ipv4_dhcp', 'link': f'nic{number}', 'network_id': address.network}
        for number, address in enumerate(addresses)
    ]
    services = [{'type': 'dns', 'address': address} for address in dns]
    return {'links': links, 'networks': networks, 'services': services}


def image(files: dict[str, bytes]) -> bytes:
    """An ISO 9660 image of the files, with the long names of Rock Ridge and Joliet."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge='1.09', vol_ident=LABEL)
    folders: dict[str, str] = {'': ''}  # the plain ISO name of each
    for number, (path, content) in enumerate(sorted(files.items())):
        parent, _, name = path.rpartition('/')
        _add_folder(iso, parent, folders)
        short = f'{folders[parent]}/F{number}.;1'
        iso.add_fp(io.BytesIO(content), len(content), short, rr_name=name, joliet_path=f'/{path}')
    output = io.BytesIO()
    iso.write_fp(output)
    iso.close()
    return output.getvalue()


def _add_folder(iso: Any, path: str, folders: dict[str, str]) -> None:
    if path in folders:
        return
    parent, _, name = path.rpartition('/')
    _add_folder(iso, parent, folders)
    folders[path] = f'{folders[parent]}/D{len(folders)}'
    iso.add_directory(folders[path], rr_name=name, joliet_path=f'/{path}')
