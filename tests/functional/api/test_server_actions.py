"""POST /servers/{id}/action."""

from typing import Any

import pytest

from cloudplane.exceptions import GuestNotFound, HypervisorUnavailable, NotImplementedHere, ServiceUnavailable
from cloudplane.images.errors import ImageNotFound
from cloudplane.objects.operation import OperationRequest
from tests.functional.api.client import IMAGE_ID, Client, World


@pytest.fixture
def server_id(world: World, alice: Client, new_server: dict[str, Any]) -> str:
    """A server of alice's that runs."""
    made: str = alice.post('/servers', new_server).body['server']['id']
    world.conductor.boot(made)
    return made


def _orders(world: World) -> list[str]:
    world.service.wakeups.stop(5)
    return [order.kind for order in world.compute.orders]


@pytest.mark.parametrize(
    ('name', 'value', 'kind'),
    [
        ('os-stop', None, 'stop'),
        ('reboot', {'type': 'SOFT'}, 'soft_reboot'),
        ('reboot', {'type': 'HARD'}, 'hard_reboot'),
        ('reboot', {'type': 'Hard'}, 'hard_reboot'),
    ],
)
def test_an_action_is_accepted_and_cast(
    world: World, alice: Client, server_id: str, name: str, value: object, kind: str
) -> None:
    reply = alice.action(server_id, name, value)
    assert (reply.status, reply.raw) == (202, b'')
    assert world.conductor.servers.rows[server_id].task_state is not None
    assert _orders(world) == [kind]


def test_a_stopped_server_is_started(world: World, alice: Client, server_id: str) -> None:
    alice.action(server_id, 'os-stop')
    world.conductor.end_well(server_id)
    assert alice.action(server_id, 'os-start').status == 202


def test_a_wrong_state_is_a_409_that_says_which(alice: Client, server_id: str) -> None:
    reply = alice.action(server_id, 'os-start')
    assert (reply.status, reply.message) == (
        409,
        f"Cannot 'start' instance {server_id} while it is in vm_state active",
    )


def test_a_busy_server_is_a_409_that_names_what_runs(world: World, alice: Client, server_id: str) -> None:
    alice.action(server_id, 'os-stop')
    operation_id = world.conductor.servers.rows[server_id].operation_id
    reply = alice.action(server_id, 'reboot', {'type': 'SOFT'})
    assert (reply.status, str(operation_id) in reply.message) == (409, True)


@pytest.mark.parametrize(
    ('body', 'words'),
    [
        ({'fly': None}, 'no such action: fly'),
        ({}, 'exactly one key'),
        ({'os-stop': None, 'os-start': None}, 'exactly one key'),
        ({'os-stop': {}}, "$['os-stop']"),
        ({'reboot': {}}, '$.reboot'),
        ({'reboot': {'type': 'GENTLE'}}, '$.reboot.type'),
        ({'createImage': {}}, '$.createImage'),
        ({'createImage': {'name': ''}}, '$.createImage.name'),
        ({'createImage': {'name': 'x', 'metadata': {'a': 1}}}, '$.createImage.metadata.a'),
        ({'os-getConsoleOutput': {'length': -2}}, 'length'),
        ({'os-getConsoleOutput': {'length': 'all'}}, 'length'),
        ({'os-getConsoleOutput': {'lenght': 1}}, 'lenght'),
    ],
)
def test_an_action_that_means_nothing_is_refused(
    alice: Client, server_id: str, body: dict[str, Any], words: str
) -> None:
    reply = alice.post(f'/servers/{server_id}/action', body)
    assert (reply.status, words in reply.message) == (400, True), reply.message


def test_a_snapshot_has_its_image_before_the_answer(world: World, alice: Client, server_id: str) -> None:
    reply = alice.action(server_id, 'createImage', {'name': 'backup', 'metadata': {'kind': 'daily'}})

    assert reply.status == 202
    image_id = reply.headers['location'].rpartition('/')[2]
    assert reply.headers['location'] == f'http://cloud.example:8774/images/{image_id}'
    image = world.images.records[image_id]
    assert (image.status, image.name, image.owner, image.visibility) == ('queued', 'backup', 'demo', 'private')
    assert image.min_disk_gb == 1
    assert image.properties == {
        'os_distro': 'debian',
        'image_type': 'snapshot',
        'instance_uuid': server_id,
        'user_id': 'alice',
        'base_image_ref': IMAGE_ID,
        'kind': 'daily',
    }
    request = world.conductor.requests[-1]
    assert isinstance(request, OperationRequest)
    assert (request.image_id, request.image_name) == (image_id, 'backup')
    assert request.operation_id == image.operation_id
    assert _orders(world) == ['snapshot']


def test_a_snapshot_outlives_the_image_that_its_server_was_made_from(
    world: World, alice: Client, server_id: str
) -> None:
    world.images.delete(IMAGE_ID)
    assert alice.action(server_id, 'createImage', {'name': 'backup'}).status == 202


def test_a_snapshot_that_is_refused_leaves_no_image(world: World, alice: Client, server_id: str) -> None:
    alice.action(server_id, 'os-stop')
    assert alice.action(server_id, 'createImage', {'name': 'backup'}).status == 409
    assert list(world.images.records) == [IMAGE_ID]


def test_a_snapshot_that_may_have_been_accepted_keeps_its_image(
    world: World, alice: Client, server_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_arguments: object) -> None:
        raise ServiceUnavailable('no answer in time')

    monkeypatch.setattr(world.conductor, 'accept_operation', lost)
    assert alice.action(server_id, 'createImage', {'name': 'backup'}).status == 503
    assert len(world.images.records) == 2


def test_a_snapshot_of_nothing_makes_no_image(world: World, bob: Client, server_id: str) -> None:
    assert bob.action(server_id, 'createImage', {'name': 'backup'}).status == 404
    assert list(world.images.records) == [IMAGE_ID]


@pytest.mark.parametrize(
    ('value', 'output'),
    [
        ({}, 'Linux version 6.1\ncloudplane-guest ready\nlogin:'),
        ({'length': None}, 'Linux version 6.1\ncloudplane-guest ready\nlogin:'),
        ({'length': -1}, 'Linux version 6.1\ncloudplane-guest ready\nlogin:'),
        ({'length': 1}, 'login:'),
        ({'length': '2'}, 'cloudplane-guest ready\nlogin:'),
        ({'length': 0}, ''),
    ],
)
def test_the_console_shows_its_last_lines(alice: Client, server_id: str, value: dict[str, object], output: str) -> None:
    reply = alice.action(server_id, 'os-getConsoleOutput', value)
    assert (reply.status, reply.body) == (200, {'output': output})


def test_there_is_no_console_before_there_is_a_host(alice: Client, new_server: dict[str, Any]) -> None:
    building = alice.post('/servers', new_server).body['server']['id']
    assert alice.action(building, 'os-getConsoleOutput', {}).status == 409


@pytest.mark.parametrize(
    ('error', 'status'),
    [
        (NotImplementedHere('no console on this host'), 501),
        (ServiceUnavailable('host1 does not answer'), 503),
        (GuestNotFound('no such guest'), 404),
        (HypervisorUnavailable('libvirt is away'), 503),
        (ImageNotFound('strange, but possible'), 404),
    ],
)
def test_what_the_host_says_reaches_the_client(
    world: World, alice: Client, server_id: str, error: Any, status: int
) -> None:
    world.compute.error = error
    reply = alice.action(server_id, 'os-getConsoleOutput', {})
    assert (reply.status, reply.message) == (status, error.message)
