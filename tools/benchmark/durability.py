"""Looks whether what is measured would survive a power failure: figures of anything else would mean nothing."""

import subprocess
from pathlib import Path

from cloudplane.conductor.db.session import Connection, Database, DatabaseSettings
from tools.benchmark.client import BenchFailed

_SYNCHRONOUS = {0: 'OFF', 1: 'NORMAL', 2: 'FULL', 3: 'EXTRA'}
_IN_MEMORY = ('tmpfs', 'ramfs')


def sqlite_settings(file: Path) -> dict[str, str]:
    """How cloudplane opens this database. Raises BenchFailed if that is not durable."""
    database = Database(DatabaseSettings(connection=f'sqlite:///{file}'))
    try:
        found = {
            'journal_mode': str(database.read(lambda conn: _pragma(conn, 'journal_mode'))).upper(),
            'synchronous': database.write(lambda conn: _SYNCHRONOUS[int(_pragma(conn, 'synchronous'))]),
        }
    finally:
        database.close()
    if found['journal_mode'] != 'WAL' or found['synchronous'] not in ('FULL', 'EXTRA'):
        raise BenchFailed(f'SQLite is not durable here: {found}')
    return found


def file_system(folder: Path) -> str:
    """The kind of file system below a folder. Raises BenchFailed if it forgets."""
    kind = subprocess.run(
        ['stat', '--file-system', '--format=%T', str(folder)], capture_output=True, text=True, check=True
    ).stdout.strip()
    if kind in _IN_MEMORY:
        raise BenchFailed(f'{folder} lies in memory ({kind}): set CLOUDPLANE_TEST_STATE to a folder on a disk')
    return kind


def _pragma(conn: Connection, name: str) -> str:
    return str(conn.exec_driver_sql(f'PRAGMA {name}').scalar())
