"""One server of each kind for a test session. Tests that kill or stop a server start one of their own instead."""

from collections.abc import Iterator

import pytest

from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ


@pytest.fixture(scope='session')
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ broker that the whole session shares: use topics or virtual hosts of your own."""
    with RabbitMQ() as server:
        yield server


@pytest.fixture(scope='session')
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server that the whole session shares: use `create_database` with a name of your own."""
    with MariaDB(durable=False) as server:
        yield server


@pytest.fixture(scope='session')
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server that the whole session shares: use `create_database` with a name of your own."""
    with PostgreSQL(durable=False) as server:
        yield server
