"""Servers: show, rename, delete, metadata, and what has been done to them."""

import hashlib
import re
from typing import Any

import pytest

from cloudplane import states
from tests.functional.api.client import IMAGE_ID, Client, World

UNKNOWN = '11111111-2222-3333-4444-555555555555'


@pytest.fixture
def server_id(alice: Client, new_server: dict[str, Any]) -> str:
    """A server of alice's that is being built."""
    new_server['server'] |= {'metadata': {'role': 'web'}}
    return str(alice.post('/servers', new_server).body['server']['id'])


def test_a_server_that_is_being_built_has_no_addresses(alice: Client, server_id: str) -> None:
    server = alice.get(f'/servers/{server_id}').body['server']
    assert (server['status'], server['progress'], server['addresses']) == ('BUILD', 0, {})
    assert server['OS-EXT-STS:task_state'] == 'scheduling'
    assert server['hostId'] == ''
    assert server['OS-SRV-USG:launched_at'] is None


def test_a_server_that_runs_is_shown_in_novas_shape(world: World, alice: Client, server_id: str) -> None:
    world.conductor.boot(server_id)
    server = alice.get(f'/servers/{server_id}').body['server']
    base = 'http://cloud.example:8774'
    assert server == {
        'id': server_id,
        'name': 'web',
        'status': 'ACTIVE',
        'progress': 0,
        'tenant_id': 'demo',
        'user_id': 'alice',
        'metadata': {'role': 'web'},
        'hostId': hashlib.sha224(b'demohost1').hexdigest(),
        'image': {'id': IMAGE_ID, 'links': [{'rel': 'bookmark', 'href': f'{base}/images/{IMAGE_ID}'}]},
        'flavor': {'id': '1', 'links': [{'rel': 'bookmark', 'href': f'{base}/flavors/1'}]},
        'created': '2026-01-01T00:00:00Z',
        'updated': server['updated'],
        'addresses': {
            'default': [
                {
                    'addr': '192.0.2.10',
                    'version': 4,
                    'OS-EXT-IPS:type': 'fixed',
                    'OS-EXT-IPS-MAC:mac_addr': '52:54:00:00:00:01',
                }
            ]
        },
        'accessIPv4': '',
        'accessIPv6': '',
        'links': [
            {'rel': 'self', 'href': f'{base}/v2.1/servers/{server_id}'},
            {'rel': 'bookmark', 'href': f'{base}/servers/{server_id}'},
        ],
        'OS-DCF:diskConfig': 'MANUAL',
        'key_name': None,
        'config_drive': '',
        'security_groups': [{'name': 'default'}],
        'OS-EXT-AZ:availability_zone': '',
        'OS-EXT-STS:power_state': 1,
        'OS-EXT-STS:task_state': None,
        'OS-EXT-STS:vm_state': 'active',
        'OS-SRV-USG:launched_at': server['OS-SRV-USG:launched_at'],
        'OS-SRV-USG:terminated_at': None,
        'os-extended-volumes:volumes_attached': [],
    }
    assert re.fullmatch(r'2026-01-01T00:00:\d\d\.000250', server['OS-SRV-USG:launched_at'])


def test_administrators_see_where_it_runs(world: World, admin: Client, server_id: str) -> None:
    world.conductor.boot(server_id)
    server = admin.get(f'/servers/{server_id}').body['server']
    assert server['OS-EXT-SRV-ATTR:host'] == 'host1'
    assert server['OS-EXT-SRV-ATTR:hypervisor_hostname'] == 'host1.example'
    assert server['OS-EXT-SRV-ATTR:instance_name'] == f'cp-{server_id}'


def test_a_fault_says_why_and_its_details_are_for_administrators(
    world: World, alice: Client, admin: Client, server_id: str
) -> None:
    world.conductor.fail(server_id, 'No valid host: 3 hosts: 3 without 8192 MB free', 'Traceback of a claim')
    seen = alice.get(f'/servers/{server_id}').body['server']
    assert (seen['status'], seen['fault']['message'][:13], 'progress' in seen) == ('ERROR', 'No valid host', False)
    assert 'details' not in seen['fault']
    assert admin.get(f'/servers/{server_id}').body['server']['fault']['details'] == 'Traceback of a claim'


def test_a_fault_of_the_past_is_not_shown(world: World, alice: Client, server_id: str) -> None:
    failed = world.conductor.fail(server_id, 'it failed')
    world.conductor.servers.put(failed.evolve(vm_state=states.ACTIVE))
    assert 'fault' not in alice.get(f'/servers/{server_id}').body['server']


def test_a_server_without_an_image_shows_an_empty_string(world: World, alice: Client, server_id: str) -> None:
    world.conductor.servers.put(world.conductor.servers.rows[server_id].evolve(image_id=None))
    assert alice.get(f'/servers/{server_id}').body['server']['image'] == ''


@pytest.mark.parametrize('unknown', [UNKNOWN, 'web', 'x' * 1000, 'ünïcode', '%2e%2e'])
def test_a_name_in_place_of_an_id_is_not_found(alice: Client, server_id: str, unknown: str) -> None:
    assert alice.get(f'/servers/{unknown}').status == 404
    assert alice.delete(f'/servers/{unknown}').status == 404
    assert alice.put(f'/servers/{unknown}', {'server': {'name': 'db'}}).status == 404
    assert alice.action(unknown, 'os-stop').status == 404
    assert alice.get(f'/servers/{unknown}/os-instance-actions').status == 404
    assert alice.get(f'/servers/{unknown}/metadata').status == 404


def test_another_projects_server_is_the_same_404_as_none(alice: Client, bob: Client, server_id: str) -> None:
    for theirs, none in (
        (bob.get(f'/servers/{server_id}'), bob.get(f'/servers/{UNKNOWN}')),
        (bob.delete(f'/servers/{server_id}'), bob.delete(f'/servers/{UNKNOWN}')),
        (bob.action(server_id, 'os-start'), bob.action(UNKNOWN, 'os-start')),
        (
            bob.put(f'/servers/{server_id}', {'server': {'name': 'x'}}),
            bob.put(f'/servers/{UNKNOWN}', {'server': {'name': 'x'}}),
        ),
    ):
        assert theirs.status == none.status == 404
        assert theirs.message.replace(server_id, '') == none.message.replace(UNKNOWN, '')
    assert alice.get(f'/servers/{server_id}').status == 200


def test_a_server_is_renamed(world: World, alice: Client, server_id: str) -> None:
    world.conductor.boot(server_id)
    reply = alice.put(f'/servers/{server_id}', {'server': {'name': 'db'}})
    assert (reply.status, reply.body['server']['name']) == (200, 'db')
    assert reply.body['server']['addresses'] == {'default': [{'addr': '192.0.2.10', 'version': 4}]}
    assert alice.get(f'/servers/{server_id}').body['server']['name'] == 'db'


def test_an_update_that_changes_nothing_asks_for_nothing(world: World, alice: Client, server_id: str) -> None:
    same = {'name': 'web', 'accessIPv4': '', 'OS-DCF:diskConfig': 'MANUAL'}
    assert alice.put(f'/servers/{server_id}', {'server': same}).status == 200
    assert 'server_rename' not in world.conductor.calls


@pytest.mark.parametrize(
    'changes', [{'accessIPv4': '192.0.2.1'}, {'OS-DCF:diskConfig': 'AUTO'}, {'name': ' '}, {'description': 'x'}]
)
def test_what_cannot_be_changed_is_refused_in_words(alice: Client, server_id: str, changes: dict[str, str]) -> None:
    reply = alice.put(f'/servers/{server_id}', {'server': changes})
    assert (reply.status, '$.server' in reply.message) == (400, True)


def test_a_delete_of_a_running_server_is_cast_to_its_host(world: World, alice: Client, server_id: str) -> None:
    world.conductor.boot(server_id)
    reply = alice.delete(f'/servers/{server_id}')
    assert (reply.status, reply.raw) == (204, b'')
    world.service.wakeups.stop(5)
    assert [(order.kind, order.host) for order in world.compute.orders] == [('delete', 'host1')]


def test_a_delete_before_a_host_is_known_needs_nobody(world: World, alice: Client, server_id: str) -> None:
    assert alice.delete(f'/servers/{server_id}').status == 204
    assert alice.get(f'/servers/{server_id}').status == 404
    world.service.wakeups.stop(5)
    assert world.compute.orders == []


def test_metadata_is_shown_whole_and_by_key(alice: Client, server_id: str) -> None:
    assert alice.get(f'/servers/{server_id}/metadata').body == {'metadata': {'role': 'web'}}
    assert alice.get(f'/servers/{server_id}/metadata/role').body == {'meta': {'role': 'web'}}
    assert alice.get(f'/servers/{server_id}/metadata/none').status == 404


def test_what_was_done_is_listed_newest_first(world: World, alice: Client, server_id: str) -> None:
    world.conductor.boot(server_id)
    stopped = alice.action(server_id, 'os-stop')
    actions = alice.get(f'/servers/{server_id}/os-instance-actions').body['instanceActions']
    assert [action['action'] for action in actions] == ['stop', 'create']
    assert actions[0]['request_id'] == stopped.headers['x-openstack-request-id']


def test_tracebacks_of_steps_are_for_administrators(world: World, alice: Client, admin: Client, server_id: str) -> None:
    world.conductor.fail(server_id, 'broken')
    request_id = alice.get(f'/servers/{server_id}/os-instance-actions').body['instanceActions'][0]['request_id']
    path = f'/servers/{server_id}/os-instance-actions/{request_id}'
    (seen,) = alice.get(path).body['instanceAction']['events']
    assert (seen['result'], seen['traceback']) == ('Error', None)
    (seen,) = admin.get(path).body['instanceAction']['events']
    assert seen['traceback'] == 'Traceback of the agent'
    assert alice.get(f'/servers/{server_id}/os-instance-actions/req-unknown').status == 404
