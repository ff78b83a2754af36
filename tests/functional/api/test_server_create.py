"""POST /servers: what is accepted, what is refused, and what the conductor is told."""

import base64
import re
from typing import Any

import pytest

from cloudplane.api.settings import ApiSettings
from cloudplane.exceptions import ServiceBusy, ServiceUnavailable
from cloudplane.objects.image import PRIVATE, QUEUED, Image
from cloudplane.objects.keypair import Keypair
from cloudplane.objects.operation import CreateRequest
from tests.functional.api.client import IMAGE, IMAGE_ID, Client, World


def _with(new_server: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**new_server, 'server': {**new_server['server'], **more}}


def _request(world: World) -> CreateRequest:
    request = world.conductor.requests[-1]
    assert isinstance(request, CreateRequest)
    return request


def test_a_create_is_accepted_and_a_scheduler_is_woken(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    reply = alice.post('/servers', new_server)

    assert reply.status == 202
    server = reply.body['server']
    assert reply.headers['location'] == f'http://cloud.example:8774/v2.1/servers/{server["id"]}'
    assert server['security_groups'] == [{'name': 'default'}]
    assert server['OS-DCF:diskConfig'] == 'MANUAL'
    assert len(server['adminPass']) == 12
    assert world.conductor.servers.rows[server['id']].task_state == 'scheduling'
    world.service.wakeups.stop(5)  # sends what waits
    ((context, specs),) = world.scheduler.built
    assert [spec.server_id for spec in specs] == [server['id']]
    assert context.request_id == reply.headers['x-openstack-request-id']


def test_all_that_a_client_says_reaches_the_conductor(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    world.conductor.keypairs['alice', 'laptop'] = Keypair(
        user_id='alice', name='laptop', public_key='ssh-ed25519 AAAA', fingerprint=''
    )
    user_data = base64.b64encode(b'#!/bin/sh\n').decode()

    reply = alice.post(
        '/servers',
        {
            **_with(
                new_server,
                name='Web Server.1',
                adminPass='secret',
                metadata={'role': 'web'},
                networks='none',
                accessIPv4='192.0.2.1',
                accessIPv6='2001:db8::1',
                availability_zone='nova',
                config_drive='True',
                key_name='laptop',
                security_groups=[{'name': 'default'}],
                user_data=user_data,
                **{'OS-DCF:diskConfig': 'AUTO'},
            ),
            'os:scheduler_hints': {'group': 'one'},
            'OS-SCH-HNT:scheduler_hints': {'group': 'two', 'query': 'x'},
        },
    )

    assert reply.status == 202
    assert reply.body['server']['adminPass'] == 'secret'
    request = _request(world)
    assert (request.project_id, request.user_id) == ('demo', 'alice')
    assert (request.flavor_id, request.image_id) == ('1', IMAGE_ID)
    assert request.image_min_disk_gb == 1  # a GiB is begun
    assert request.image_properties == {'os_distro': 'debian'}
    assert (request.servers[0].name, request.servers[0].hostname) == ('Web Server.1', 'web-server-1')
    assert request.metadata == {'role': 'web'}
    assert request.networks == 'none'
    assert (request.access_ip_v4, request.access_ip_v6) == ('192.0.2.1', '2001:db8::1')
    assert request.availability_zone == 'nova'
    assert request.config_drive
    assert request.key_name == 'laptop'
    assert request.user_data == user_data
    assert request.disk_config == 'AUTO'
    assert request.scheduler_hints == {'group': 'one', 'query': 'x'}


@pytest.mark.parametrize(
    'more',
    [
        {'networks': 'auto'},
        {'networks': []},
        {'networks': [{}]},
        {'security_groups': []},
        {'config_drive': False},
        {'min_count': '1', 'max_count': '1'},
        {'personality': []},
        {'flavorRef': 'http://cloud.example/v2.1/flavors/1'},
        {'flavorRef': 1},
        {'imageRef': f'http://cloud.example/images/{IMAGE_ID}'},
        {
            'block_device_mapping_v2': [
                {
                    'uuid': IMAGE_ID,
                    'boot_index': '0',
                    'source_type': 'image',
                    'destination_type': 'local',
                    'delete_on_termination': True,
                }
            ]
        },
        {
            'imageRef': '',
            'block_device_mapping_v2': [
                {'uuid': IMAGE_ID, 'boot_index': 0, 'source_type': 'image', 'destination_type': 'local'}
            ],
        },
    ],
)
def test_what_means_the_same_is_accepted(
    world: World, alice: Client, new_server: dict[str, Any], more: dict[str, Any]
) -> None:
    assert alice.post('/servers', _with(new_server, **more)).status == 202
    assert (_request(world).image_id, _request(world).flavor_id) == (IMAGE_ID, '1')
    assert _request(world).networks == 'auto'


@pytest.mark.parametrize(
    ('more', 'words'),
    [
        ({'name': ''}, r'\$\.server\.name'),
        ({'name': ' web'}, r'\$\.server\.name: it must be a name'),
        ({'name': 'web '}, r'\$\.server\.name'),
        ({'name': 'web\n'}, r'\$\.server\.name'),
        ({'name': 'we\x00b'}, r'\$\.server\.name'),
        ({'name': 'x' * 256}, r'\$\.server\.name'),
        ({'name': 7}, r'\$\.server\.name'),
        ({'flavorRef': '99'}, 'Flavor 99'),
        ({'imageRef': 'not-an-id'}, r'\$\.server\.imageRef'),
        ({'imageRef': ''}, r'\$\.server\.imageRef: a server needs an image'),
        ({'imageRef': '00000000-0000-0000-0000-000000000000'}, 'Can not find requested image'),
        ({'key_name': 'nobody'}, 'Keypair nobody'),
        ({'availability_zone': 'moon'}, 'availability zone is not available'),
        ({'security_groups': [{'name': 'web'}]}, "security_group with name or id 'web'"),
        ({'networks': [{'uuid': IMAGE_ID}]}, r'\$\.server\.networks\[0\]\.uuid'),
        ({'networks': [{'port': IMAGE_ID}]}, r'\$\.server\.networks\[0\]\.port'),
        ({'networks': [{'fixed_ip': '192.0.2.1'}]}, r'\$\.server\.networks\[0\]\.fixed_ip'),
        ({'networks': [{}, {}]}, 'only one network'),
        ({'networks': 'all'}, r'\$\.server\.networks'),
        ({'personality': [{'path': '/etc/motd', 'contents': ''}]}, r'\$\.server\.personality: files cannot'),
        ({'user_data': 'not base64!'}, r'\$\.server\.user_data: it must be base64'),
        ({'user_data': 'A' * 65536}, r'\$\.server\.user_data'),
        ({'accessIPv4': '1.2.3'}, r'\$\.server\.accessIPv4: it must be an IPv4 address'),
        ({'accessIPv6': '::x'}, r'\$\.server\.accessIPv6'),
        ({'metadata': {'a': 1}}, r'\$\.server\.metadata\.a'),
        ({'metadata': {'a': 'x' * 256}}, r'\$\.server\.metadata\.a'),
        ({'metadata': {'a/b': 'c'}}, r'\$\.server\.metadata: it must be a key'),
        ({'OS-DCF:diskConfig': 'SOMETIMES'}, r'diskConfig'),
        ({'config_drive': 'maybe'}, r'\$\.server\.config_drive'),
        ({'min_count': 0}, r'\$\.server\.min_count'),
        ({'min_count': '0'}, r'\$\.server\.min_count'),
        ({'min_count': 3, 'max_count': 2}, r'\$\.server\.min_count'),
        ({'max_count': 10**30}, r'\$\.server\.max_count'),
        ({'max_count': 1001}, r'\$\.server\.max_count'),
        ({'surprise': True}, "'surprise' was unexpected"),
        ({'block_device_mapping': [{'volume_id': IMAGE_ID}]}, 'volumes cannot'),
        (
            {'block_device_mapping_v2': [{'uuid': IMAGE_ID, 'source_type': 'volume', 'destination_type': 'volume'}]},
            r'block_device_mapping_v2\[0\]: only a local disk',
        ),
        (
            {'block_device_mapping_v2': [{'uuid': 'other', 'source_type': 'image', 'destination_type': 'local'}]},
            r'block_device_mapping_v2\[0\]\.uuid: it must be the image of imageRef',
        ),
        (
            {'block_device_mapping_v2': [{'uuid': IMAGE_ID, 'source_type': 'image', 'boot_index': 1}]},
            r'block_device_mapping_v2\[0\]\.boot_index',
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    world: World, alice: Client, new_server: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    reply = alice.post('/servers', _with(new_server, **more))
    assert reply.status == 400
    assert re.search(words, reply.message), reply.message
    assert not world.conductor.servers.rows


@pytest.mark.parametrize('missing', ['name', 'flavorRef'])
def test_what_is_required_must_be_there(alice: Client, new_server: dict[str, Any], missing: str) -> None:
    del new_server['server'][missing]
    reply = alice.post('/servers', new_server)
    assert (reply.status, missing in reply.message) == (400, True)


def test_several_servers_are_numbered_from_one(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    reply = alice.post('/servers', _with(new_server, min_count=2, max_count=3))
    assert reply.status == 202
    servers = _request(world).servers
    assert [server.name for server in servers] == ['web-1', 'web-2', 'web-3']
    assert [server.hostname for server in servers] == ['web-1', 'web-2', 'web-3']
    assert [server.launch_index for server in servers] == [0, 1, 2]
    assert reply.body['server']['id'] == servers[0].server_id


def test_a_numbered_name_stays_within_its_length(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    assert alice.post('/servers', _with(new_server, name='x' * 255, min_count=10)).status == 202
    assert [len(server.name) for server in _request(world).servers] == [254] * 9 + [255]


def test_a_name_without_letters_still_gives_a_hostname(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    assert alice.post('/servers', _with(new_server, name='日本')).status == 202
    (server,) = _request(world).servers
    assert server.hostname == f'server-{server.server_id}'


def test_the_quota_may_leave_fewer_than_the_most_that_was_asked_for(new_server: dict[str, Any]) -> None:
    world = World(quota_instances=4)
    client = Client(world.service.application)
    assert client.post('/servers', _with(new_server, min_count=2, max_count=10)).status == 202
    assert 2 <= len(world.conductor.servers.rows) <= 4
    reply = client.post('/servers', _with(new_server, min_count=5))
    assert (reply.status, 'Quota exceeded' in reply.message) == (403, True)


def test_a_reservation_id_is_answered_when_it_is_asked_for(
    world: World, alice: Client, new_server: dict[str, Any]
) -> None:
    reply = alice.post('/servers', _with(new_server, return_reservation_id='True', min_count=2))
    assert (reply.status, reply.body) == (202, {'reservation_id': _request(world).reservation_id})


def test_an_image_that_is_not_active_is_refused(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    world.images.records[IMAGE_ID] = IMAGE.evolve(status=QUEUED)
    reply = alice.post('/servers', new_server)
    assert (reply.status, 'not active' in reply.message) == (400, True)


def test_the_private_image_of_another_project_is_not_there(
    world: World, alice: Client, bob: Client, admin: Client, new_server: dict[str, Any]
) -> None:
    world.images.records[IMAGE_ID] = IMAGE.evolve(visibility=PRIVATE, owner='demo')
    assert alice.post('/servers', new_server).status == 202
    missing = bob.post('/servers', new_server)
    assert (missing.status, missing.message) == (400, f'Can not find requested image {IMAGE_ID}.')
    assert admin.post('/servers', new_server).status == 202


def test_what_the_owner_of_an_image_says_of_its_needs_is_passed_on(
    world: World, alice: Client, new_server: dict[str, Any]
) -> None:
    world.images.records[IMAGE_ID] = Image(
        id=IMAGE_ID, status='active', visibility='public', min_disk_gb=20, min_memory_mb=256, virtual_size_bytes=1
    )
    alice.post('/servers', new_server)
    assert (_request(world).image_min_disk_gb, _request(world).image_min_memory_mb) == (20, 256)


def test_a_known_zone_is_asked_for_once(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    for _ in range(3):
        assert alice.post('/servers', _with(new_server, availability_zone='nova')).status == 202
    assert world.conductor.calls.count('host_list') == 1


def test_a_broker_that_hangs_does_not_make_the_client_wait(
    world: World, alice: Client, new_server: dict[str, Any]
) -> None:
    world.scheduler.open.clear()
    assert [alice.post('/servers', new_server).status for _ in range(5)] == [202] * 5
    assert world.scheduler.built == []
    world.scheduler.open.set()
    world.service.wakeups.stop(5)
    assert len(world.scheduler.built) == 5


def test_a_wake_up_that_cannot_be_sent_fails_nothing(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    world.scheduler.error = ServiceUnavailable('no broker')
    first = alice.post('/servers', new_server)
    world.scheduler.error = None
    second = alice.post('/servers', new_server)
    assert (first.status, second.status) == (202, 202)


def test_a_conductor_that_is_full_or_gone_is_a_503_that_says_when(
    world: World, alice: Client, new_server: dict[str, Any]
) -> None:
    for error in (ServiceBusy('too much'), ServiceUnavailable('gone')):
        world.conductor.error = error
        reply = alice.post('/servers', new_server)
        assert (reply.status, reply.message) == (503, error.message)
        assert int(reply.headers['retry-after']) > 0


def test_links_follow_the_public_endpoint_and_the_form_of_the_url(new_server: dict[str, Any]) -> None:
    world = World(ApiSettings(port=0, public_endpoint='https://api.example/compute/'))
    client = Client(world.service.application, 'alice:demo', '/v2.1/demo')
    reply = client.post('/servers', new_server)
    server_id = reply.body['server']['id']
    assert reply.body['server']['links'] == [
        {'rel': 'self', 'href': f'https://api.example/compute/v2.1/demo/servers/{server_id}'},
        {'rel': 'bookmark', 'href': f'https://api.example/compute/demo/servers/{server_id}'},
    ]
