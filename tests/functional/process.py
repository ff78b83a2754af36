"""cloudplane-all-in-one as a process of its own, which can be killed, also at a named fault point."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.functional.cloud import PATIENCE_S, Client

CHECKOUT = Path(__file__).parent.parent.parent
START_S = 30.0
DIE_WITH_US = ('setpriv', '--pdeathsig', 'KILL')  # of util-linux: nothing is left of a test run that was killed


class AllInOne:
    """One all-in-one on one configuration file; started, killed and started again."""

    def __init__(self, config_file: Path, backend: str) -> None:
        self._config_file, self._backend = config_file, backend
        self._log = config_file.with_suffix('.log')
        self._process: subprocess.Popen[str] | None = None
        self.client = Client(0)

    def start(self, die_at: str = '') -> 'AllInOne':
        """Start, and wait until it says that it is ready. `die_at`: a fault point at which it kills itself."""
        environment = os.environ | {'OS_DEFAULT__CONCURRENCY_BACKEND': self._backend, 'CLOUDPLANE_TEST_DIE_AT': die_at}
        with self._log.open('a') as log:
            self._process = subprocess.Popen(
                [*DIE_WITH_US, sys.executable, '-m', 'tests.functional.dying', '--config-file', str(self._config_file)],
                cwd=CHECKOUT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if 'is ready' in line:
            port = int(line.rsplit(':', 1)[1].split('/', 1)[0])
            self.client = Client(port)
        elif not (die_at and self.wait_dead()):
            raise AssertionError(f'it did not start: {line!r}\n{self.log()}')
        return self

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def wait_dead(self, timeout_s: float = PATIENCE_S) -> bool:
        """Wait for it to die by SIGKILL; whether it did."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()

    def stop(self) -> float:
        """SIGTERM, which it must obey without an error; the seconds that it took to end."""
        assert self._process is not None
        began = time.monotonic()
        self._process.terminate()
        status = self._process.wait(START_S)
        assert status == 0, f'it ended with status {status}\n{self.log()}'
        return time.monotonic() - began

    def log(self) -> str:
        """What it wrote to its log."""
        return self._log.read_text()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run cloudplane-manage on its configuration."""
        return manage(self._config_file, *arguments)


def manage(
    config_file: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run cloudplane-manage."""
    return run_main('manage', config_file, *arguments, environment=environment)


def run_main(
    main: str, config_file: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of the mains until it ends, which it must by itself."""
    return subprocess.run(
        [sys.executable, '-m', f'cloudplane.cmd.{main}', '--config-file', str(config_file), *arguments],
        cwd=CHECKOUT,
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
