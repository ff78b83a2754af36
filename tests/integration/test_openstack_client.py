"""The `openstack` client, unpatched, against a running all-in-one with the fake driver: the everyday life cycle.

Identity is a later part of the project, so the client is given the endpoint of the Compute API and no authentication.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudplane.images import qcow2
from tests.functional.cloud import GIB, Client, wait_for, write_config
from tests.functional.process import AllInOne, manage

TOKEN = 'notused'  # what the client sends when it is told that there is no authentication


class OpenStack:
    """The client, as one user of one project."""

    def __init__(self, port: int) -> None:
        self.endpoint = f'http://127.0.0.1:{port}/v2.1'
        self.client = Client(port, TOKEN)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith('OS_')}
        return subprocess.run(
            [
                str(Path(sys.executable).with_name('openstack')),
                *('--os-auth-type', 'none', '--os-endpoint', self.endpoint),
                *('--os-identity-api-version', '3'),
                *arguments,
            ],
            env=clean,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def json(self, *arguments: str) -> Any:
        """Run a command that succeeds; what it prints as JSON."""
        done = self.run(*arguments, '-f', 'json')
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def do(self, *arguments: str) -> str:
        """Run a command that succeeds; what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait_status(self, name: str, status: str) -> None:
        """Wait until a server rests in a status."""

        def reached() -> bool:
            (server,) = self.client.get(f'/v2.1/servers/detail?name={name}')['servers']
            return bool(server['status'] == status and server['OS-EXT-STS:task_state'] is None)

        wait_for(reached, f'{name} to be {status}')


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image in a new cloud; its id."""
    config = write_config(tmp_path, {})
    assert manage(config, 'db', 'upgrade').returncode == 0
    file = tmp_path / 'image.qcow2'
    file.write_bytes(qcow2.overlay(GIB, None, ''))
    return manage(config, 'image', 'create', 'cirros', '--file', str(file)).stdout.strip()


@pytest.fixture
def openstack(tmp_path: Path, image: str) -> Iterator[OpenStack]:
    """The client of a running cloud."""
    process = AllInOne(tmp_path / 'cloudplane.conf', 'eventlet').start()
    yield OpenStack(process.client.port)
    process.kill()


def test_the_everyday_life_cycle(openstack: OpenStack, image: str) -> None:
    flavor = openstack.json('flavor', 'create', 'm1.tiny', '--ram', '64', '--disk', '1', '--vcpus', '1')
    assert openstack.json('flavor', 'show', 'm1.tiny')['ram'] == 64
    assert [each['Name'] for each in openstack.json('flavor', 'list')] == ['m1.tiny']
    assert 'PRIVATE KEY' in openstack.do('keypair', 'create', 'key')
    assert [each['Name'] for each in openstack.json('keypair', 'list')] == ['key']

    # The image service of this cloud is a later part, so the create does not go through the client's own look-up.
    server = {'name': 'web', 'imageRef': image, 'flavorRef': flavor['id'], 'key_name': 'key'}
    assert openstack.client.request('POST', '/v2.1/servers', {'server': server}).status == 202
    openstack.wait_status('web', 'ACTIVE')
    (listed,) = openstack.json('server', 'list')
    assert (listed['Name'], listed['Status'], listed['Flavor']) == ('web', 'ACTIVE', 'm1.tiny')
    shown = openstack.json('server', 'show', 'web')
    assert shown['key_name'] == 'key'
    assert shown['addresses']
    assert 'cloudplane guest ready' in openstack.do('console', 'log', 'show', 'web')

    openstack.do('server', 'stop', 'web')
    openstack.wait_status('web', 'SHUTOFF')
    openstack.do('server', 'start', 'web')
    openstack.wait_status('web', 'ACTIVE')
    openstack.do('server', 'reboot', 'web', '--wait')
    openstack.do('server', 'reboot', 'web', '--hard', '--wait')
    openstack.do('server', 'set', '--name', 'shop', 'web')
    actions = [each['Action'] for each in openstack.json('server', 'event', 'list', 'shop')]
    assert actions == ['reboot', 'reboot', 'start', 'stop', 'create']
    openstack.do('server', 'delete', 'shop', '--wait')
    assert openstack.json('server', 'list') == []
    openstack.do('keypair', 'delete', 'key')
    openstack.do('flavor', 'delete', 'm1.tiny')


def test_what_operators_look_at(openstack: OpenStack) -> None:
    assert {each['Binary'] for each in openstack.json('compute', 'service', 'list')} >= {'cloudplane-compute'}
    (hypervisor,) = openstack.json('hypervisor', 'list')
    assert hypervisor['State'] == 'up'
    (zone,) = openstack.json('availability', 'zone', 'list', '--compute')
    assert zone == {'Zone Name': 'nova', 'Zone Status': 'available'}


def test_wrong_names_are_told_in_words(openstack: OpenStack) -> None:
    for arguments in (('server', 'show', 'nothing'), ('server', 'show', str(uuid.uuid4())), ('flavor', 'show', 'x')):
        refused = openstack.run(*arguments)
        assert refused.returncode == 1
        assert arguments[-1] in refused.stderr
