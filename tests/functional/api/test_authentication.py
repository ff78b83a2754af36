"""Who is believed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cloudplane.api.settings import ApiSettings
from cloudplane.exceptions import ConfigurationError
from tests.functional.api.client import Client, World


def test_a_request_without_a_known_token_is_a_401_that_says_how(world: World) -> None:
    for token in (None, '', 'wrong', 'alice-toke', 'ALICE-TOKEN', '\u00ff'):
        reply = Client(world.service.application, token).get('/servers')
        assert (reply.status, 'X-Auth-Token' in reply.headers['www-authenticate']) == (401, True)
    assert world.conductor.calls == []


def test_nobody_learns_which_paths_there_are(world: World) -> None:
    nobody = Client(world.service.application, None)
    assert nobody.get('/nothing').status == 401
    assert nobody.send('DELETE', '/servers').status == 401
    assert nobody.get('/flavors', OpenStack_API_Version='compute 2.999').status == 401


def test_health_needs_no_token(world: World) -> None:
    assert Client(world.service.application, None, '').get('/healthcheck').status == 200


@pytest.mark.parametrize(
    ('token', 'owner'),
    [(None, ('admin', 'admin')), ('alice', ('alice', 'alice')), ('alice:demo', ('alice', 'demo'))],
)
def test_without_authentication_the_token_says_who_one_is(
    new_server: dict[str, Any], token: str | None, owner: tuple[str, str]
) -> None:
    client = Client(World().service.application, token)
    server_id = client.post('/servers', new_server).body['server']['id']
    server = client.get(f'/servers/{server_id}').body['server']
    assert (server['user_id'], server['tenant_id']) == owner
    assert 'OS-EXT-SRV-ATTR:host' in server  # everybody is an administrator


def _static(path: Path) -> World:
    return World(ApiSettings(port=0, auth_strategy='static', token_file=str(path)))


def test_a_token_file_that_others_may_read_is_refused(token_file: Path) -> None:
    for mode in (0o640, 0o604):
        os.chmod(token_file, mode)
        with pytest.raises(ConfigurationError, match='chmod 600'):
            _static(token_file)


def test_a_token_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='token_file is needed'):
        World(ApiSettings(auth_strategy='static'))
    with pytest.raises(ConfigurationError, match='missing'):
        _static(tmp_path / 'missing')
    for text in ('[]', '{"token": {"user_id": "alice"}}', 'nonsense', json.dumps({'t': {'user_id': 1}})):
        path = tmp_path / 'tokens.json'
        path.touch(mode=0o600)
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r'tokens\.json'):
            _static(path)
