"""The schema's version: upgraded by cloudplane-manage, checked by every conductor at its start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from cloudplane import exceptions
from cloudplane.conductor.db.session import Database

# The oldest schema that this release can work with. Migrations expand first; they contract in a later release.
OLDEST_USABLE = '0001'
_LOCK_NAME = 'cloudplane-migrations'
_LOCK_NUMBER = 4242177  # PostgreSQL's advisory locks have numbers
_LOCK_TIMEOUT_S = 300


def _config() -> Config:
    config = Config()
    config.set_main_option('script_location', str(Path(__file__).parent / 'migrations'))
    return config


def current(database: Database) -> str | None:
    """The version of the database; None: it is empty."""
    return database.read(lambda conn: MigrationContext.configure(conn).get_current_revision())


def head() -> str:
    """The version that this release makes."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None  # there is at least the first migration
    return newest


def upgrade(database: Database, revision: str = 'head') -> None:
    """Bring the database to `revision`; whoever comes at the same time waits, and finds nothing to do."""

    def run(conn: Connection) -> None:
        with _locked(conn):
            config = _config()
            config.attributes['connection'] = conn
            command.upgrade(config, revision)

    database.write(run)


def check(database: Database) -> None:
    """Raise ConfigurationError, with what to do, unless this release can work with the database's schema."""
    found = current(database)
    if found is None:
        raise exceptions.ConfigurationError('the database is empty: run `cloudplane-manage db upgrade` first')
    known = [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]
    if found not in known:
        raise exceptions.ConfigurationError(
            f'the database has schema {found}, which is newer than this release (it knows up to {head()}): '
            'upgrade cloudplane on this host'
        )
    if known.index(found) > known.index(OLDEST_USABLE):
        raise exceptions.ConfigurationError(
            f'the database has schema {found}, which is too old for this release: run `cloudplane-manage db upgrade`'
        )


@contextmanager
def _locked(conn: Connection) -> Iterator[None]:
    """One migration at a time. On SQLite the transaction is the lock."""
    if conn.dialect.name == 'postgresql':
        conn.execute(text('SELECT pg_advisory_xact_lock(:number)'), {'number': _LOCK_NUMBER})
        yield
        return
    if conn.dialect.name == 'sqlite':
        yield
        return
    got = conn.execute(text('SELECT GET_LOCK(:name, :wait)'), {'name': _LOCK_NAME, 'wait': _LOCK_TIMEOUT_S}).scalar()
    if got != 1:
        raise exceptions.DatabaseUnavailable(f'another migration has run for {_LOCK_TIMEOUT_S} s')
    try:
        yield
    finally:
        conn.execute(text('SELECT RELEASE_LOCK(:name)'), {'name': _LOCK_NAME})
