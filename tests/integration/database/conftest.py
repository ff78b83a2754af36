"""The three databases that cloudplane runs on, each empty for each test."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudplane.conductor.db import schema
from cloudplane.conductor.db.session import Database, DatabaseSettings
from tests.services.database import DatabaseServer
from tests.unit.conductor.bench import Bench

DIALECTS = ['sqlite', 'mariadb', 'postgresql']
SERVERS = ['mariadb', 'postgresql']
_numbers = itertools.count(1)


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def connection(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if dialect == 'sqlite':
        yield f'sqlite:///{tmp_path}/cloudplane.sqlite'
        return
    server: DatabaseServer = request.getfixturevalue(dialect)
    name = f'cloudplane_{next(_numbers)}'
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def opened(connection: str) -> Iterator[Callable[[], Database]]:
    """Opens the database, as often as a test likes."""
    databases: list[Database] = []

    def open_one() -> Database:
        databases.append(Database(DatabaseSettings(connection=connection)))
        return databases[-1]

    yield open_one
    for database in databases:
        database.close()


@pytest.fixture
def bench(connection: str, opened: Callable[[], Database], tmp_path: Path) -> Iterator[Bench]:
    """A conductor on that database. The audit finds nothing at the end."""
    schema.upgrade(opened())
    made = Bench(connection, tmp_path)
    made.flavor()
    try:
        yield made
        assert made.audit() == ()
    finally:
        made.close()
