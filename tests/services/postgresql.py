"""A private PostgreSQL server."""

import signal
import subprocess
from pathlib import Path

from tests.services.database import DatabaseServer
from tests.services.server import ServerFailed


class PostgreSQL(DatabaseServer):
    """The newest PostgreSQL that Debian has installed, on 127.0.0.1, trusting everybody."""

    name = 'postgresql'
    user = 'postgres'
    stop_signal = signal.SIGINT  # "fast": open connections are closed

    def url(self, database: str) -> str:
        return f'postgresql+psycopg://cloudplane:cloudplane@127.0.0.1:{self.port}/{database}'

    def prepare(self) -> None:
        self.own(self.folder / 'data')
        self.own(self.folder / 'run')
        self._run('initdb', '-D', f'{self.folder}/data', '-A', 'trust', '-U', 'cloudplane', '-E', 'UTF8', '--no-sync')

    def command(self) -> list[str]:
        settings = {
            'listen_addresses': '127.0.0.1',
            'port': str(self.port),
            'unix_socket_directories': f'{self.folder}/run',
            'fsync': 'on' if self.durable else 'off',
            'synchronous_commit': 'on',  # off would lose commits with the process, not with the machine alone
        } | self.settings
        options = [part for key, value in settings.items() for part in ('-c', f'{key}={value}')]
        return self.as_user([_program('postgres'), '-D', f'{self.folder}/data', *options])

    def is_ready(self) -> bool:
        return self._psql('SELECT 1', 'postgres').returncode == 0

    def sql(self, statement: str, database: str | None = None) -> str:
        done = self._psql(statement, database or 'postgres')
        if done.returncode:
            raise ServerFailed(f'{statement}: {done.stderr}')
        return done.stdout

    def _psql(self, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(_program('psql'), '--no-psqlrc', '--tuples-only', '--no-align', '--quiet'),
                *('-h', '127.0.0.1', '-p', str(self.port), '-U', 'cloudplane', '-d', database, '-c', statement),
            ],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self.as_user([_program(program), *arguments]),
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise ServerFailed(f'{program} failed.\n{done.stdout}{done.stderr}')


def _program(name: str) -> str:
    """A program of the newest installed release; Debian keeps them out of PATH."""
    releases = [path.parent.parent for path in Path('/usr/lib/postgresql').glob('*/bin/postgres')]
    if not releases:
        raise ServerFailed('PostgreSQL is not installed: postgresql needs the packages of packages.txt')
    return str(max(releases, key=lambda path: int(path.name)) / 'bin' / name)
