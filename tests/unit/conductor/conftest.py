"""A fresh conductor for each test, on a copy of a database that was made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudplane.conductor.db import schema
from cloudplane.conductor.db.session import Database, DatabaseSettings
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


@pytest.fixture(scope='session')
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp('schema') / 'empty.sqlite'
    database = Database(DatabaseSettings(connection=f'sqlite:///{path}'))
    schema.upgrade(database)
    database.read(lambda conn: conn.exec_driver_sql('PRAGMA wal_checkpoint(TRUNCATE)').all())
    database.close()
    return path


@pytest.fixture
def bench(empty_database: Path, tmp_path: Path) -> Iterator[Bench]:
    """A conductor with one flavor. Unless the test has tampered with the rows, the audit finds nothing at its end."""
    shutil.copy(empty_database, tmp_path / 'cloudplane.sqlite')
    made = Bench(f'sqlite:///{tmp_path}/cloudplane.sqlite', tmp_path)
    made.flavor()
    try:
        yield made
        if not made.tampered:
            assert made.audit() == ()
    finally:
        made.close()


@pytest.fixture
def host(bench: Bench) -> Host:
    """A host for eight small servers."""
    return bench.host()
