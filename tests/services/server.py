"""What the private servers have in common: a folder of their own, start, kill, stop, restart with the data kept."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.process import OwnedProcess

# A place that the users mysql and postgres can reach, which a home folder or pytest's tmp_path is not.
STATE_ROOT = Path(os.environ.get('CLOUDPLANE_TEST_STATE', '/var/tmp'))


class ServerFailed(Exception):
    """A private server did not do what it was told; the message ends with its log."""


class Server(ABC):
    """One server program, run in the foreground by us.

    `start` after `kill` or `stop` continues with the same data on the same ports. As a context manager it is started,
    and at the end killed and removed.
    """

    name: str
    """What it is called in messages and folder names."""
    user: str | None = None
    """The account it runs as when we are root; None for ours."""
    stop_signal = signal.SIGTERM
    start_timeout_s = 60.0
    stop_timeout_s = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f'cloudplane-{self.name}-', dir=STATE_ROOT))
        self.folder.chmod(0o755)
        self.log = self.folder / 'log'
        self._process: OwnedProcess | None = None
        self._prepared = False

    @abstractmethod
    def prepare(self) -> None:
        """Make what must be there before the first start."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; it stays in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether a client would be served now."""

    def environment(self) -> dict[str, str]:
        """The whole environment of the program; nothing of ours leaks into it."""
        return {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8'}

    @property
    def pid(self) -> int:
        """The process that `kill` kills."""
        if self._process is None:
            raise ServerFailed(f'{self.name} has not been started')
        return self._process.pid

    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.is_running()

    def start(self) -> None:
        """Start it and return when it serves."""
        if self.is_running():
            return
        if not self._prepared:
            self.prepare()
            self._prepared = True
        self._process = self.launch(self.command())
        self._wait_until_ready(self._process)

    def launch(self, command: list[str]) -> OwnedProcess:
        """Run a program of this server, with its environment, folder and log."""
        program = shutil.which(command[0])
        if program is None:
            raise ServerFailed(f'{command[0]} is not installed: {self.name} needs the packages of packages.txt')
        return OwnedProcess([program, *command[1:]], self.environment(), self.log, self.folder)

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine's process looks like to its clients."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.stop(self.stop_signal, self.stop_timeout_s)

    def restart(self) -> None:
        """Stop it in order and start it again with its data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill it and remove all that it left."""
        self.kill()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_ready(self, process: OwnedProcess) -> None:
        deadline_s = time.monotonic() + self.start_timeout_s
        while not self.is_ready():
            if not process.is_running():
                raise ServerFailed(f'{self.name} ended while it started.\n{self.log_tail()}')
            if time.monotonic() > deadline_s:
                self.kill()
                raise ServerFailed(f'{self.name} was not ready after {self.start_timeout_s:g} s.\n{self.log_tail()}')
            time.sleep(0.02)

    def log_tail(self, lines: int = 40) -> str:
        """The end of its log."""
        if not self.log.exists():
            return f'{self.log} was never written'
        tail = self.log.read_text(errors='replace').splitlines()[-lines:]
        return '\n'.join([f'The last lines of {self.log}:', *tail])

    def own(self, path: Path) -> Path:
        """Make a folder that belongs to the account the server runs as."""
        path.mkdir(exist_ok=True)
        if self.user is not None and os.geteuid() == 0:
            shutil.chown(path, self.user, self.user)
        return path

    def as_user(self, command: list[str]) -> list[str]:
        """The command, run as the server's account if we are root; the process stays our child."""
        if self.user is None or os.geteuid() != 0:
            return command
        return ['setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--init-groups', '--', *command]
