"""The private servers themselves: they keep their data through a kill and a restart, and leave nothing behind."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kombu.connection
import pytest

from tests.backends import CHECKOUT
from tests.services import MariaDB, PostgreSQL, RabbitMQ, Server, ServerFailed
from tests.services.database import DatabaseServer
from tests.services.process import family, is_alive

connect: Any = kombu.connection.Connection  # kombu has no types


@pytest.fixture(params=[MariaDB, PostgreSQL], ids=lambda kind: kind.name)
def database(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with request.param() as server:
        server.create_database('shop')
        server.sql('CREATE TABLE sold (what VARCHAR(20))', 'shop')
        yield server


@pytest.mark.parametrize('interruption', ['kill', 'stop'])
def test_a_database_keeps_what_was_committed(database: DatabaseServer, interruption: str) -> None:
    database.sql("INSERT INTO sold VALUES ('apple')", 'shop')
    first_pid, url = database.pid, database.url('shop')

    getattr(database, interruption)()
    assert not database.is_running()
    database.start()

    assert database.sql('SELECT what FROM sold', 'shop').split() == ['apple']
    assert (database.pid != first_pid, database.url('shop')) == (True, url)


def test_a_dropped_database_is_gone(database: DatabaseServer) -> None:
    database.drop_database('shop')

    with pytest.raises(ServerFailed, match='shop'):
        database.sql('SELECT 1', 'shop')


def test_sqlalchemy_reaches_the_databases(database: DatabaseServer) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(database.url('shop'))
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 'äöü 🙂'")) == 'äöü 🙂'
    engine.dispose()


def test_a_server_that_does_not_start_says_why() -> None:
    broken = MariaDB(settings={'no-such-setting': '1'})
    try:
        with pytest.raises(ServerFailed, match=r'mariadb ended while it started(.|\n)*no-such-setting'):
            broken.start()
    finally:
        broken.close()


def test_a_broker_keeps_durable_messages_through_a_kill_and_leaves_nothing() -> None:
    with RabbitMQ(settings={'vm_memory_high_watermark.relative': '0.5'}) as broker:
        url = broker.url().replace('rabbit://', 'amqp://')
        with connect(url) as connection, connection.SimpleQueue('kept') as kept:
            kept.put('apple')
            while '\t1' not in broker.ctl('list_queues', 'name', 'messages'):
                time.sleep(0.1)
        processes = family(broker.pid)

        broker.kill()
        broker.start()

        with connect(url) as connection, connection.SimpleQueue('kept') as kept:
            assert kept.get(timeout=20).payload == 'apple'
        processes += family(broker.pid)

    assert not broker.folder.exists()
    assert not any(is_alive(pid) for pid in processes)


DYING = """
import os
from tests.services import PostgreSQL
server = PostgreSQL(durable=False)
server.start()
print(server.pid, server.folder, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_server_does_not_outlive_a_killed_test_run() -> None:
    done = subprocess.run([sys.executable, '-c', DYING], cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr
    pid, folder = done.stdout.split()

    _until(lambda: not is_alive(int(pid)))
    _until(lambda: not Path(folder).exists())


def test_two_servers_of_a_kind_run_side_by_side() -> None:
    with PostgreSQL(durable=False) as one, PostgreSQL(durable=False) as two:
        one.create_database('shop')
        two.create_database('shop')
        assert one.port != two.port


def test_starting_twice_keeps_the_running_server(postgresql: Server) -> None:
    pid = postgresql.pid

    postgresql.start()

    assert postgresql.pid == pid


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
