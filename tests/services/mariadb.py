"""A private MariaDB server."""

import os
import subprocess

from tests.services.database import DatabaseServer
from tests.services.server import ServerFailed

_ACCOUNT = """
CREATE USER IF NOT EXISTS cloudplane@'127.0.0.1' IDENTIFIED BY 'cloudplane';
GRANT ALL ON *.* TO cloudplane@'127.0.0.1' WITH GRANT OPTION;
"""


class MariaDB(DatabaseServer):
    """MariaDB on 127.0.0.1, with utf8mb4 as its character set."""

    name = 'mariadb'
    user = 'mysql'

    def url(self, database: str) -> str:
        return f'mysql+pymysql://cloudplane:cloudplane@127.0.0.1:{self.port}/{database}?charset=utf8mb4'

    def prepare(self) -> None:
        self.own(self.folder / 'data')
        self.own(self.folder / 'run')
        (self.folder / 'account.sql').write_text(_ACCOUNT)
        command = ['mariadb-install-db', '--no-defaults', f'--datadir={self.folder}/data', '--skip-test-db']
        if os.geteuid() == 0:
            command.append(f'--user={self.user}')
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise ServerFailed(f'mariadb-install-db failed.\n{done.stdout}{done.stderr}')

    def command(self) -> list[str]:
        settings = {
            'datadir': f'{self.folder}/data',
            'socket': f'{self.folder}/run/socket',
            'pid-file': f'{self.folder}/run/pid',
            'tmpdir': f'{self.folder}/run',
            'port': str(self.port),
            'bind-address': '127.0.0.1',
            'init-file': f'{self.folder}/account.sql',
            'character-set-server': 'utf8mb4',
            'innodb-flush-log-at-trx-commit': '1' if self.durable else '2',  # 0 would lose commits with the process
        } | self.settings
        options = [f'--{key}={value}' for key, value in settings.items()]
        return self.as_user(['mariadbd', '--no-defaults', '--skip-name-resolve', *options])

    def is_ready(self) -> bool:
        return self._client('SELECT 1', None).returncode == 0

    def sql(self, statement: str, database: str | None = None) -> str:
        done = self._client(statement, database)
        if done.returncode:
            raise ServerFailed(f'{statement}: {done.stderr}')
        return done.stdout

    def _client(self, statement: str, database: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *('mariadb', '--no-defaults', '--batch', '--skip-column-names', '--protocol=tcp', '--host=127.0.0.1'),
                *(f'--port={self.port}', '--user=cloudplane', '--password=cloudplane', '-e', statement),
                *([database] if database else []),
            ],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
