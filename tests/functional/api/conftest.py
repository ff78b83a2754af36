"""A world for each test, and those who ask."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudplane.api.settings import ApiSettings
from tests.functional.api.client import IMAGE_ID, Client, World

TOKENS: dict[str, dict[str, Any]] = {
    'admin-token': {'user_id': 'root', 'project_id': 'ops', 'roles': ['admin']},
    'alice-token': {'user_id': 'alice', 'project_id': 'demo', 'roles': ['member']},
    'bob-token': {'user_id': 'bob', 'project_id': 'other', 'roles': ['member']},
}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with the tokens of an administrator and two members."""
    path = tmp_path / 'tokens.json'
    path.touch(mode=0o600)
    path.write_text(json.dumps(TOKENS))
    return path


@pytest.fixture
def world(token_file: Path) -> Iterator[World]:
    """All there is, with static tokens."""
    made = World(ApiSettings(port=0, auth_strategy='static', token_file=str(token_file)))
    made.service.wakeups.start()  # there is no socket: see test_sockets.py
    yield made
    made.service.wakeups.stop(5)


@pytest.fixture
def admin(world: World) -> Client:
    """An administrator."""
    return Client(world.service.application, 'admin-token')


@pytest.fixture
def alice(world: World) -> Client:
    """A member of project demo."""
    return Client(world.service.application, 'alice-token')


@pytest.fixture
def bob(world: World) -> Client:
    """A member of another project."""
    return Client(world.service.application, 'bob-token')


@pytest.fixture
def new_server() -> dict[str, Any]:
    """The smallest create body."""
    return {'server': {'name': 'web', 'imageRef': IMAGE_ID, 'flavorRef': '1'}}
