"""Transactions: committed in groups, run again when they must be, and errors that callers understand."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, exc, func, select

from cloudplane import exceptions
from cloudplane.conductor.db import flavors, models
from cloudplane.conductor.db.session import Database, DatabaseSettings, Raced
from cloudplane.objects.flavor import Flavor
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.samples import NO_LIMIT, settings


def _flavor(name: str) -> Callable[[Connection], Flavor]:
    return lambda conn: flavors.create(conn, Flavor(id=name, name=name, vcpus=1, memory_mb=1, root_gb=1))


def _count(bench: Bench) -> int:
    statement = select(func.count()).select_from(models.table(models.Flavor))
    return bench.database.read(lambda conn: conn.execute(statement).scalar_one())


class Batch:
    """Holds the leader inside its transaction until all the others wait, so that these are the next batch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entered, self._leave = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(32)
        self._leader = self._pool.submit(database.write, self._hold)
        assert self._entered.wait(10)
        self.commits = 0
        event.listen(database.engine, 'commit', self._committed)

    def _hold(self, _conn: Connection) -> None:
        self._entered.set()
        assert self._leave.wait(10)

    def _committed(self, _conn: Connection) -> None:
        self.commits += 1

    def run(self, *works: Callable[[Connection], Any]) -> list[Future[Any]]:
        """Have these written in one batch; their results."""
        futures = []
        for number, work in enumerate(works, 1):
            futures.append(self._pool.submit(self._database.write, work))
            while len(self._database._waiting) < number:
                threading.Event().wait(0.001)  # until it waits in the queue: nothing else can be waited for
        self._leave.set()
        self._pool.shutdown()
        return futures


def test_what_waits_is_committed_together(bench: Bench) -> None:
    batch = Batch(bench.database)

    futures = batch.run(*(_flavor(f'f{number}') for number in range(5)))

    assert [future.result().id for future in futures] == [f'f{number}' for number in range(5)]
    assert batch.commits == 2  # the one that held them up, and the five
    assert _count(bench) == 6


def test_a_batch_has_an_upper_limit(bench: Bench) -> None:
    database = Database(DatabaseSettings(connection=bench.connection, batch_size=2))
    batch = Batch(database)

    batch.run(*(_flavor(f'f{number}') for number in range(5)))

    assert batch.commits == 4  # 1, 2, 2, 1
    assert _count(bench) == 6
    database.close()


def test_a_write_of_a_batch_that_is_refused_leaves_no_trace_and_does_not_harm_its_neighbours(bench: Bench) -> None:
    def refused(conn: Connection) -> None:
        _flavor('trace')(conn)
        raise exceptions.Conflict('no')

    batch = Batch(bench.database)
    first, second, third = batch.run(_flavor('a'), refused, _flavor('b'))

    assert (first.result().id, third.result().id) == ('a', 'b')
    with pytest.raises(exceptions.Conflict, match='no'):
        second.result()
    assert batch.commits == 2
    assert _count(bench) == 3


@pytest.mark.parametrize('failure', [Raced(), exc.DataError('INSERT', {}, ValueError('bad'))])
def test_a_batch_that_fails_is_run_again_one_by_one(bench: Bench, failure: Exception) -> None:
    runs: list[str] = []

    def fails_in_company(conn: Connection) -> str:
        runs.append('failing')
        if len(runs) == 1:
            raise failure
        return 'alone'

    batch = Batch(bench.database)
    first, second = batch.run(_flavor('a'), fails_in_company)

    assert first.result().id == 'a'
    assert second.result() == 'alone'
    assert batch.commits == 3
    assert _count(bench) == 2


def test_who_lost_a_race_runs_again(bench: Bench) -> None:
    runs = []

    def work(conn: Connection) -> str:
        runs.append(1)
        _flavor('once')(conn)
        if len(runs) < 3:
            raise Raced
        return 'won'

    assert bench.database.write(work) == 'won'
    assert len(runs) == 3
    assert _count(bench) == 2


def test_who_loses_every_race_hears_that_it_may_try_later(bench: Bench) -> None:
    def work(_conn: Connection) -> None:
        raise Raced

    with pytest.raises(exceptions.DatabaseUnavailable, match='too many'):
        bench.database.write(work)


def test_what_a_transaction_raises_reaches_its_caller_and_rolls_it_back(bench: Bench) -> None:
    def work(conn: Connection) -> None:
        _flavor('gone')(conn)
        raise ValueError('mine')

    with pytest.raises(ValueError, match='mine'):
        bench.database.write(work)
    assert _count(bench) == 1


def test_a_database_that_goes_on_failing_is_unavailable(bench: Bench) -> None:
    database = Database(DatabaseSettings(connection=bench.connection, retries=2, lock_timeout_s=0.001))

    def locked(_conn: Connection) -> None:
        raise exc.OperationalError('UPDATE', {}, sqlite3.OperationalError('database is locked'))

    for run in (database.read, database.write, database.snapshot):
        with pytest.raises(exceptions.DatabaseUnavailable, match='does not answer: database is locked'):
            run(locked)
    database.close()


def test_a_defect_of_ours_is_not_taken_for_an_outage(bench: Bench) -> None:
    with pytest.raises(exc.IntegrityError):
        bench.database.write(
            lambda conn: [conn.execute(models.table(models.Tick).insert(), {'id': 1}) for _ in range(2)]
        )


def test_a_locked_database_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    database = Database(DatabaseSettings(connection=bench.connection, lock_timeout_s=0.01))
    other = sqlite3.connect(tmp_path / 'cloudplane.sqlite', isolation_level=None, check_same_thread=False)
    other.execute('BEGIN IMMEDIATE')
    refused = threading.Event()

    @event.listens_for(database.engine, 'handle_error')
    def note(context: Any) -> None:
        assert 'database is locked' in str(context.original_exception)
        refused.set()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(database.write, _flavor('late'))
        assert refused.wait(10)
        other.execute('ROLLBACK')
        assert written.result(10).id == 'late'
    other.close()
    database.close()


def test_a_read_is_not_held_up_by_a_write(bench: Bench) -> None:
    def write(conn: Connection) -> int:
        _flavor('new')(conn)
        return _count(bench)  # another connection, while this transaction is open

    assert bench.database.write(write) == 1
    assert _count(bench) == 2


def test_a_writer_that_is_killed_does_not_leave_the_others_waiting(bench: Bench) -> None:
    def killed(_conn: Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.database.write(killed)
    assert bench.database.write(_flavor('next')).id == 'next'


def test_a_killed_batch_is_an_outage_for_its_members(bench: Bench) -> None:
    def killed(_conn: Connection) -> None:
        raise KeyboardInterrupt

    batch = Batch(bench.database)
    first, second = batch.run(killed, _flavor('a'))

    outcomes = [type(future.exception()) for future in (first, second)]
    assert KeyboardInterrupt in outcomes
    assert exceptions.DatabaseUnavailable in outcomes
    assert bench.database.write(_flavor('next')).id == 'next'


def test_many_rows_are_inserted_in_several_statements(bench: Bench) -> None:
    request = bench.create_request(1001, project_id='big')
    bench.restart(settings(quota=NO_LIMIT))

    assert len(bench.accept(request).builds) == 1001
    assert bench.usage('big') == (1001, 1001, 1001 * 512)
