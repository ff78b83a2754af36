"""A database server that dies: callers hear that it is away, and nothing has to be restarted when it is back."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection

from cloudplane import exceptions, states
from cloudplane.conductor.db import schema, servers
from cloudplane.conductor.db.session import Database, DatabaseSettings
from tests.services.database import DatabaseServer
from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.unit.conductor.bench import Bench


@pytest.fixture(params=[MariaDB, PostgreSQL], ids=['mariadb', 'postgresql'])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A server of its own, which the test may kill. The machine does not die, so it need not flush."""
    with request.param(durable=False) as server:
        yield server


@pytest.fixture
def bench(server: DatabaseServer, tmp_path: Path) -> Iterator[Bench]:
    """A conductor on that server."""
    made = Bench(server.create_database('cloudplane'), tmp_path)
    schema.upgrade(made.database)
    made.flavor()
    yield made
    assert made.audit() == ()
    made.close()


def test_a_conductor_goes_on_when_its_database_is_back(server: DatabaseServer, bench: Bench) -> None:
    host = bench.host()
    server_id = bench.building(host)
    request, report = bench.create_request(), bench.report(server_id, host)

    server.kill()
    for ask in (lambda: bench.accept(request), lambda: bench.conductor.executor.finish(report), bench.audit):
        with pytest.raises(exceptions.DatabaseUnavailable, match='does not answer'):
            ask()
    with pytest.raises(exceptions.DatabaseUnavailable):
        bench.conductor.reconciler.look()
    server.start()

    assert bench.conductor.executor.finish(report).accepted
    assert not bench.accept(request).replayed
    assert bench.server(server_id).vm_state == states.ACTIVE
    assert bench.usage() == (2, 2, 1024)


def test_a_claim_that_meets_an_outage_is_made_later(server: DatabaseServer, bench: Bench) -> None:
    host = bench.host()
    server_id = bench.create()
    selection = bench.selection(server_id, host)

    server.kill()
    bench.conductor.claimer.claim([selection])
    server.start()

    bench.due(server_id)
    bench.look()
    assert bench.scheduler.builds[-1].server_id == server_id
    bench.claim(server_id, host)
    assert bench.operation(server_id).state == states.SCHEDULED


def test_a_conductor_that_is_stopped_in_mid_transaction_does_not_stop_the_others(
    server: DatabaseServer, bench: Bench
) -> None:
    host = bench.host()
    server_id = bench.building(host)
    quick = DatabaseSettings(connection=bench.connection, lock_timeout_s=6, retries=5)
    stopped, living = Database(quick), Database(quick)
    other = bench.new_conductor(database=living)
    resumed = threading.Event()
    held = threading.Event()

    def hold(conn: Connection) -> None:
        servers.lock(conn, server_id)
        held.set()
        assert resumed.wait(60)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(stopped.write, hold)
        assert held.wait(10)

        assert other.executor.finish(bench.report(server_id, host)).accepted

        resumed.set()
        late.result(30)  # its connection was ended, and it ran again
    other.claimer.stop()
    for database in (stopped, living):
        database.close()
