"""cloudplane-all-in-one as a process of its own, with the default clocks, over SQLite."""

import configparser
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cloudplane.images import qcow2
from tests.services.process import OwnedProcess
from tools.benchmark import durability
from tools.benchmark.client import BenchFailed, Client
from tools.benchmark.deployment import Start

CHECKOUT: Final = Path(__file__).resolve().parents[2]
IMAGE_ID: Final = '5d2b0a5e-1c7b-4d3f-9e0a-000000000001'
READY_TIMEOUT_S: Final = 60
_GIB: Final = 1 << 30
_LOOK_S: Final = 0.002


class AllInOne:
    """One all-in-one. `libvirt`: the options of [libvirt], for the driver of that name."""

    def __init__(self, folder: Path, driver: str, backend: str, libvirt: Mapping[str, str]) -> None:
        self.folder, self.state = folder, folder / 'state'
        self._driver, self._backend, self._libvirt = driver, backend, libvirt
        self._config, self._log = folder / 'cloudplane.conf', folder / 'log'
        self._process: OwnedProcess | None = None
        self._port = 0

    @property
    def settings(self) -> dict[str, Any]:
        """See Deployment."""
        sqlite = durability.sqlite_settings(self.state / 'cloudplane.sqlite')
        return {
            'deployment': 'all-in-one',
            'driver': self._driver,
            'backend': self._backend,
            'database': 'SQLite ' + ' '.join(f'{name}={value}' for name, value in sqlite.items()),
            'file_system': durability.file_system(self.folder),
            'cpus': len(os.sched_getaffinity(0)),
            'python': platform.python_version(),
        }

    @property
    def port(self) -> int:
        """See Deployment."""
        return self._port

    @property
    def pids(self) -> Mapping[str, int]:
        """See Deployment."""
        assert self._process is not None, 'it was not started'
        return {'all_in_one': self._process.pid}

    def prepare(self) -> None:
        """See Deployment. The image is empty: what a guest does is not what is measured."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_dict(self._options())
        with self._config.open('w') as opened:
            parser.write(opened)
        self.state.mkdir(mode=0o711)
        image = self.folder / 'image.qcow2'
        image.write_bytes(qcow2.overlay(_GIB, None, ''))
        self._manage('db', 'upgrade')
        self._manage('image', 'create', 'bench', '--file', str(image), '--id', IMAGE_ID)

    def _options(self) -> dict[str, dict[str, str]]:
        """The defaults, but for where things are, and for how much fits."""
        return {
            'DEFAULT': {'state_path': str(self.state), 'host': 'bench', 'concurrency_backend': self._backend},
            'api': {'port': '0'},
            'compute': {'driver': self._driver, 'vcpu_ratio': '1000', 'memory_ratio': '100', 'disk_ratio': '100'},
            'quota': {'instances': '-1', 'cores': '-1', 'ram_mb': '-1'},
            'libvirt': dict(self._libvirt),
        }

    def _environment(self) -> dict[str, str]:
        """Nothing of ours leaks in. Byte code is kept with the state, so that nothing is left in the checkout."""
        wanted = {'PYTHONPATH': str(CHECKOUT), 'PYTHONPYCACHEPREFIX': str(self.folder / 'bytecode'), 'LANG': 'C.UTF-8'}
        return wanted | {'PATH': os.environ['PATH']}

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, '-P', '-m', 'cloudplane.cmd.manage', '--config-file', str(self._config), *arguments]
        done = subprocess.run(command, env=self._environment(), cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchFailed(f'cloudplane-manage {" ".join(arguments)} failed:\n{done.stdout}{done.stderr}')

    def start(self) -> Start:
        """See Deployment."""
        self._log.write_bytes(b'')
        command = [sys.executable, '-P', '-m', 'cloudplane.cmd.all_in_one', '--config-file', str(self._config)]
        begin_s = time.perf_counter()
        self._process = OwnedProcess(command, self._environment(), self._log, self.folder)
        self._port = self._wait_ready(self._process)
        ready_s = time.perf_counter() - begin_s
        self._wait_host()
        return Start(ready_s=ready_s, host_up_s=time.perf_counter() - begin_s)

    def _wait_ready(self, process: OwnedProcess) -> int:
        end_s = time.perf_counter() + READY_TIMEOUT_S
        while True:
            text = self._log.read_text(errors='replace')
            found = re.search(r' is ready: http://\S+:(\d+)/', text)
            if found:
                return int(found.group(1))
            if not process.is_running() or time.perf_counter() > end_s:
                raise BenchFailed('cloudplane-all-in-one did not start')
            time.sleep(_LOOK_S)

    def _wait_host(self) -> None:
        client = Client(self._port)
        end_s = time.perf_counter() + READY_TIMEOUT_S
        while not _has_host(client.expect(200, 'GET', '/v2.1/os-hypervisors/detail')):
            if time.perf_counter() > end_s:
                raise BenchFailed('its host did not come up')
            time.sleep(_LOOK_S)
        client.close()

    def log_tail(self) -> str:
        """The end of what it has logged."""
        return self._log.read_text(errors='replace')[-4000:]

    def stop(self) -> None:
        """See Deployment."""
        if self._process is not None:
            self._process.stop(signal.SIGTERM, timeout_s=30)
            self._process = None


def _has_host(answer: Any) -> bool:
    return any(host['state'] == 'up' and host['status'] == 'enabled' for host in answer['hypervisors'])
