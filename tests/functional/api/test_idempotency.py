"""Idempotency-Key: a request that is sent again gets the first answer."""

from typing import Any

import pytest

from cloudplane.objects.operation import OperationRequest
from tests.functional.api.client import IMAGE_ID, Client, World


def test_a_create_that_is_repeated_is_done_once(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    first = alice.post('/servers', new_server, Idempotency_Key='k1')
    again = alice.post('/servers', new_server, Idempotency_Key='k1')
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body  # the password, too
    assert again.headers['location'] == first.headers['location']
    assert len(world.conductor.servers.rows) == 1
    world.service.wakeups.stop(5)
    assert len(world.scheduler.built) == 1


def test_a_reservation_that_is_repeated_is_the_same(alice: Client, new_server: dict[str, Any]) -> None:
    new_server['server']['return_reservation_id'] = True
    first = alice.post('/servers', new_server, Idempotency_Key='k1')
    assert alice.post('/servers', new_server, Idempotency_Key='k1').body == first.body


def test_another_request_with_the_same_key_is_refused(alice: Client, new_server: dict[str, Any]) -> None:
    alice.post('/servers', new_server, Idempotency_Key='k1')
    new_server['server']['name'] = 'other'
    assert alice.post('/servers', new_server, Idempotency_Key='k1').status == 422


def test_a_key_belongs_to_its_project(alice: Client, bob: Client, new_server: dict[str, Any]) -> None:
    first = alice.post('/servers', new_server, Idempotency_Key='k1')
    second = bob.post('/servers', new_server, Idempotency_Key='k1')
    assert (second.status, second.body == first.body) == (202, False)


def test_a_snapshot_that_is_repeated_makes_one_image(world: World, alice: Client, new_server: dict[str, Any]) -> None:
    server_id = alice.post('/servers', new_server).body['server']['id']
    world.conductor.boot(server_id)
    first = alice.action(server_id, 'createImage', {'name': 'backup'}, Idempotency_Key='k1')
    again = alice.action(server_id, 'createImage', {'name': 'backup'}, Idempotency_Key='k1')
    assert (again.status, again.headers['location']) == (202, first.headers['location'])
    image_id = first.headers['location'].rpartition('/')[2]
    assert set(world.images.records) == {IMAGE_ID, image_id}


def test_the_same_action_on_two_servers_is_two_requests(
    world: World, alice: Client, new_server: dict[str, Any]
) -> None:
    ids = [alice.post('/servers', new_server).body['server']['id'] for _ in range(2)]
    for server_id in ids:
        world.conductor.boot(server_id)
    assert alice.action(ids[0], 'os-stop', Idempotency_Key='k1').status == 202
    assert alice.action(ids[1], 'os-stop', Idempotency_Key='k1').status == 422
    hashes = [
        request.idempotency.request_hash
        for request in world.conductor.requests
        if isinstance(request, OperationRequest) and request.idempotency is not None
    ]
    assert len(set(hashes)) == 2


@pytest.mark.parametrize('key', ['', 'two words', 'x' * 256, 'umlaut-\u00fc'])
def test_a_key_that_is_no_key_is_refused(alice: Client, new_server: dict[str, Any], key: str) -> None:
    reply = alice.post('/servers', new_server, Idempotency_Key=key)
    assert (reply.status, 'Idempotency-Key' in reply.message) == (400, True)
