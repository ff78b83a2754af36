"""How connections to each database are made."""

import errno
import os
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from cloudplane import exceptions, patterns

# How long a statement waits for a lock, and how long a transaction may hold its locks without saying anything.
# MySQL, unlike MariaDB, has nothing for the second: /*M! is executed by MariaDB alone.
_MYSQL = (
    'SET SESSION innodb_lock_wait_timeout = {wait_s}',
    '/*M! SET SESSION idle_transaction_timeout = {idle_s} */',
)
_POSTGRESQL = (
    "SET SESSION lock_timeout = '{wait_s}s'",
    "SET SESSION idle_in_transaction_session_timeout = '{idle_s}s'",
)
_TIMEOUTS = {'mysql': _MYSQL, 'mariadb': _MYSQL, 'postgresql': _POSTGRESQL}


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Plain values of [database]."""

    connection: str
    batch_size: int = 64
    retries: int = 10
    pool_size: int = 10
    lock_timeout_s: float = 30.0


def sqlite_engine(url: URL, settings: DatabaseSettings, mode: str) -> Engine:
    """One connection, for what writes or for what reads."""
    engine = create_engine(url, pool_size=1, max_overflow=0, connect_args={'check_same_thread': False})

    @event.listens_for(engine, 'do_connect')
    def make_private(*_dialect_and_arguments: object) -> None:
        _make_private(url)

    @event.listens_for(engine, 'connect')
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is said below, not by the driver
        for pragma in (
            'journal_mode = WAL',
            'synchronous = FULL',  # accepted means kept, also when the power fails
            'foreign_keys = ON',
            f'busy_timeout = {int(settings.lock_timeout_s * 1000)}',
        ):
            connection.execute(f'PRAGMA {pragma}')
        # SQLAlchemy's own is Python's engine, which one expression of a user can keep busy for ever.
        connection.create_function('regexp', 2, patterns.found_in, deterministic=True)

    @event.listens_for(engine, 'begin')
    def begin(conn: Connection) -> None:
        # A deferred transaction that turns into a write fails at once when another one writes.
        conn.exec_driver_sql('BEGIN IMMEDIATE' if mode == 'write' else 'BEGIN')

    return engine


def _make_private(url: URL) -> None:
    """Users' data is in there, and its folder may be entered by others. SQLite gives its other files the same mode.

    A file that exists is not opened: POSIX locks belong to the process, so that to close it would take the lock of the
    other engine's connection. The next process to look at the database would then remove its journal under our feet.
    """
    if url.database and url.database != ':memory:':
        try:
            os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if os.access(url.database, os.R_OK | os.W_OK):
                return
            raise exceptions.ConfigurationError(
                f'the database {url.database} cannot be written: {os.strerror(errno.EACCES)}'
            ) from None
        except OSError as error:
            raise exceptions.ConfigurationError(
                f'the database {url.database} cannot be written: {error.strerror}'
            ) from error


def server_engine(url: URL, settings: DatabaseSettings) -> Engine:
    """A pool of connections to a database server.

    A process that is stopped in mid-transaction holds its locks: the server ends it before those who wait give up.
    """
    engine = create_engine(
        url,
        # Under REPEATABLE READ a claimant does not see what was committed before it got the lock.
        isolation_level='READ COMMITTED',
        pool_size=settings.pool_size,
        max_overflow=settings.pool_size,
        pool_pre_ping=True,
        pool_recycle=3600,
    )
    wait_s = max(2, round(settings.lock_timeout_s / 3))
    idle_s = max(1, round(settings.lock_timeout_s / 6))

    @event.listens_for(engine, 'connect')
    def prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for statement in _TIMEOUTS[engine.dialect.name]:
                cursor.execute(statement.format(wait_s=wait_s, idle_s=idle_s))
        connection.commit()

    return engine
