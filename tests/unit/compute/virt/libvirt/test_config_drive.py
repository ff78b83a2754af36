"""What guests read on their config drive."""

import base64
import io
import json
from typing import Any

import pycdlib
import pytest

from cloudplane.compute.virt.libvirt import config_drive
from cloudplane.exceptions import GuestInvalid
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address
from tests.unit.compute.virt.libvirt.specs import SERVER_ID, guest_spec

ADDRESS = Address(network='net', address='192.168.148.2', mac='fa:16:3e:a8:94:02')


def read_back(spec: GuestSpec) -> dict[str, bytes]:
    """The files on the image, found as Linux finds them."""
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(config_drive.image(config_drive.contents(spec, (ADDRESS,)))))
    assert iso.pvd.volume_identifier.rstrip() == b'config-2'
    files = {}
    for folder, _folders, names in iso.walk(rr_path='/'):
        for name in names:
            content = io.BytesIO()
            path = f'{folder.rstrip("/")}/{name}'
            iso.get_file_from_iso_fp(content, rr_path=path)
            files[path] = content.getvalue()
    return files


def meta_data(spec: GuestSpec) -> dict[str, Any]:
    """The parsed meta_data.json."""
    decoded: dict[str, Any] = json.loads(read_back(spec)['/openstack/latest/meta_data.json'])
    return decoded


def test_a_guest_learns_who_it_is() -> None:
    meta = meta_data(
        guest_spec(metadata={'role': 'web'}, availability_zone='nova', launch_index=2, reservation_id='r-1')
    )
    assert (meta['uuid'], meta['name'], meta['hostname']) == (SERVER_ID, 'web 1', 'web-1')
    assert (meta['meta'], meta['availability_zone'], meta['launch_index']) == ({'role': 'web'}, 'nova', 2)
    assert (meta['project_id'], meta['reservation_id']) == ('project', 'r-1')
    assert len(base64.b64decode(meta['random_seed'])) == 512


def test_a_guest_is_given_the_key_of_its_owner() -> None:
    meta = meta_data(guest_spec(key_name='mine', public_key='ssh-ed25519 AAAA'))
    assert meta['public_keys'] == {'mine': 'ssh-ed25519 AAAA'}
    assert meta['keys'] == [{'name': 'mine', 'type': 'ssh', 'data': 'ssh-ed25519 AAAA'}]


def test_what_was_not_asked_for_is_not_there() -> None:
    files = read_back(guest_spec())
    meta = json.loads(files['/openstack/latest/meta_data.json'])
    assert {'public_keys', 'keys', 'admin_pass', 'reservation_id'}.isdisjoint(meta)
    assert '/openstack/latest/user_data' not in files


def test_the_password_of_the_administrator_is_handed_over() -> None:
    assert meta_data(guest_spec(admin_pass='s3cret'))['admin_pass'] == 's3cret'


def test_user_data_arrives_byte_for_byte() -> None:
    data = bytes(range(256)) * 200
    spec = guest_spec(user_data=base64.b64encode(data).decode())
    assert read_back(spec)['/openstack/latest/user_data'] == data


def test_user_data_that_is_not_base64_is_refused() -> None:
    with pytest.raises(GuestInvalid, match='not base64'):
        config_drive.contents(guest_spec(user_data='*'), ())


def test_the_network_is_described_by_its_hardware_address() -> None:
    network = json.loads(read_back(guest_spec())['/openstack/latest/network_data.json'])
    (link,), (described,) = network['links'], network['networks']
    assert link['ethernet_mac_address'] == ADDRESS.mac
    assert (described['type'], described['link']) == ('ipv4_dhcp', link['id'])
