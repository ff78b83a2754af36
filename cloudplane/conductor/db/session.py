"""Transactions: how they begin on each database, how they are committed in groups, and when they are run again.

`Database.read` and `Database.write` take a function of a connection. It may run more than once (after a deadlock, a
lost connection, a lost compare-and-set), so it only reads and writes the database and returns a value; messages are
sent after `write` has returned, for only then is it true. SQL errors are translated here and nowhere else.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine, exc
from sqlalchemy.engine import URL, make_url

from cloudplane import concurrency, exceptions
from cloudplane.conductor.db.engines import DatabaseSettings, server_engine, sqlite_engine

LOG = logging.getLogger(__name__)
T = TypeVar('T')
Work = Callable[[Connection], T]
__all__ = ['Connection', 'Database', 'DatabaseSettings', 'Raced']

# MySQL: deadlock, lock wait timeout, connection gone or lost. PostgreSQL: serialization failure, deadlock.
_RETRYABLE_MYSQL = {1205, 1213, 2006, 2013, 1927, 3024, 4031}
_RETRYABLE_POSTGRESQL = {'40001', '40P01', '55P03', '57P01', '57P02', '57P03'}


class Raced(Exception):
    """A compare-and-set found another value than the transaction had read: run the whole of it again."""


class _Job(Generic[T]):
    """One write that waits to be committed."""

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.wake = threading.Event()
        self.ended = False
        self.value: T | None = None
        self.error: BaseException | None = None

    def end(self, value: T | None, error: BaseException | None = None) -> None:
        self.value, self.error, self.ended = value, error, True

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


class Database:
    """One database, for one process."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self.url = make_url(settings.connection)
        self.dialect = self.url.get_backend_name()
        self._mutex = threading.Lock()
        self._waiting: deque[_Job[Any]] = deque()
        self._leading = False
        self._writer = _Runner(self.url, settings, 'write')
        # SQLite: a reader of its own, that no commit holds up. Other databases: one pool serves both.
        self._reader = _Runner(self.url, settings, 'read') if self.dialect == 'sqlite' else self._writer

    @property
    def engine(self) -> Engine:
        """The engine that writes, for migrations."""
        return self._writer.engine

    def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads. Raises DatabaseUnavailable."""
        return self._retrying(lambda: self._reader.run(work))

    def snapshot(self, work: Work[T]) -> T:
        """Run `work` so that all its statements see one moment: `read` promises that for one statement alone."""
        return self._retrying(lambda: self._reader.run(work, one_moment=True))

    def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction, committed together with what else waits. Raises what `work` raises.

        A transaction starts at once when none runs; what arrives meanwhile is the next batch.
        """
        job = _Job(work)
        with self._mutex:
            self._waiting.append(job)
            lead, self._leading = not self._leading, True
        if not lead:
            job.wake.wait()
            if job.ended:
                return job.result()
        self._lead(job)
        return job.result()

    def close(self) -> None:
        """Give the connections back."""
        self._writer.close()
        if self._reader is not self._writer:
            self._reader.close()

    def _lead(self, own: _Job[Any]) -> None:
        """Run one batch (it holds `own`), then hand the lead to the first that waits."""
        with self._mutex:
            count = min(len(self._waiting), self._settings.batch_size)
            batch = [self._waiting.popleft() for _ in range(count)]
        try:
            self._run_batch(batch)
        finally:
            with self._mutex:
                self._leading = bool(self._waiting)
                if self._leading:
                    self._waiting[0].wake.set()
            for job in batch:
                if not job.ended:  # only if this thread was killed: nobody may wait for ever
                    job.end(None, exceptions.DatabaseUnavailable('the transaction was interrupted'))
                if job is not own:
                    job.wake.set()

    def _run_batch(self, batch: list[_Job[Any]]) -> None:
        if len(batch) > 1:
            try:
                outcomes = self._writer.run(lambda conn: [_nested(conn, job.work) for job in batch])
            except (exc.SQLAlchemyError, Raced) as error:
                LOG.debug('A batch of %d is run again one by one: %s', len(batch), error)
            else:
                for job, (value, failure) in zip(batch, outcomes, strict=True):
                    job.end(value, failure)
                return
        for job in batch:
            self._run_alone(job)

    def _run_alone(self, job: _Job[Any]) -> None:
        try:
            job.end(self._retrying(lambda: self._writer.run(job.work)))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the caller waits
            job.end(None, error)

    def _retrying(self, run: Callable[[], T]) -> T:
        for retry in range(self._settings.retries + 1):
            try:
                return run()
            except Raced:
                if retry == self._settings.retries:
                    raise exceptions.DatabaseUnavailable('the server is changed by too many at once') from None
                LOG.debug('Lost a race, running the transaction again')
            except exc.SQLAlchemyError as error:
                if retry == self._settings.retries or not _is_retryable(error):
                    raise _translated(error) from error
                LOG.warning('The transaction is run again: %s', error)
                time.sleep(min(2.0, 0.01 * 2**retry) * random.uniform(0.5, 1.0))
        raise AssertionError('the loop above returns or raises')


def _nested(conn: Connection, work: Work[T]) -> tuple[T | None, BaseException | None]:
    """One write of a batch, in a savepoint: what it refuses leaves no trace and does not harm its neighbours."""
    savepoint = conn.begin_nested()
    try:
        value = work(conn)
    except (exc.SQLAlchemyError, Raced):
        raise  # the whole batch is run again
    except Exception as error:  # noqa: BLE001 - it is raised again where the caller waits
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return value, None


class _Runner:
    """Runs transactions on an engine. SQLite's C code blocks, so there they run in one native thread."""

    def __init__(self, url: URL, settings: DatabaseSettings, mode: str) -> None:
        self._sqlite = url.get_backend_name() == 'sqlite'
        self.engine = sqlite_engine(url, settings, mode) if self._sqlite else server_engine(url, settings)
        self._pool = concurrency.BlockingPool(f'sqlite-{mode}', 1) if self._sqlite else None

    def run(self, work: Work[T], *, one_moment: bool = False) -> T:
        if self._pool is not None:
            return self._pool.run(self._transaction, work)  # one moment always
        if one_moment:
            return self._snapshot(work)
        return self._transaction(work)

    def _transaction(self, work: Work[T]) -> T:
        with self.engine.begin() as conn:
            return work(conn)

    def _snapshot(self, work: Work[T]) -> T:
        with self.engine.connect().execution_options(isolation_level='REPEATABLE READ') as conn, conn.begin():
            return work(conn)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.run(self.engine.dispose)
            self._pool.close()
        else:
            self.engine.dispose()


def _is_retryable(error: exc.SQLAlchemyError) -> bool:
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        original = error.orig
        if original is not None and original.args:
            if original.args[0] in _RETRYABLE_MYSQL or getattr(original, 'sqlstate', None) in _RETRYABLE_POSTGRESQL:
                return True
            return 'database is locked' in str(original) or 'database table is locked' in str(original)
    return False


def _translated(error: exc.SQLAlchemyError) -> Exception:
    """What callers understand: the database is away, or (a defect of ours) the error itself."""
    if isinstance(error, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)):
        cause = getattr(error, 'orig', None) or error
        return exceptions.DatabaseUnavailable(f'the database does not answer: {cause}')
    return error
