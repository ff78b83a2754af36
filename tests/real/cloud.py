"""A cloud with real guests: the all-in-one as a process, on a libvirtd of our own, through HTTP and by ssh.

Everything lies in the folder of that libvirtd and goes with it, also when the tests are killed. `Cloud` is the machine
with its process, which can die and be started again; `Server` is one server of it, as its user sees it.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from cloudplane.concurrency import Backend
from tests.functional.cloud import Answer, write_config
from tests.functional.process import AllInOne
from tests.services.libvirtd import Network, PrivateLibvirtd

T = TypeVar('T')

# Several times what is needed on an idle machine with two cores that emulates its guests.
PATIENCE_S = 120.0
LOOK_S = 0.1  # guests and services need the processor themselves
SSH_TIMEOUT_S = 30.0
READY = re.compile(r'^cloudplane guest ready: (\S+) (\S+)\r?$', re.MULTILINE)
HOST_KEY = re.compile(r'^cloudplane guest: ssh host key (ssh-ed25519 \S+)', re.MULTILINE)
POLLED = re.compile(r'request_log .*(GET|action) \S* ?200 ')  # requests that wait for something
TAIL_CHARACTERS = 10_000

# Quicker than the defaults in the same proportions, but not so quick that guests that boot could starve a heartbeat.
CLOCKS = {
    'heartbeat_s': '1',
    'lease_s': '3',
    'host_down_s': '4',
    'wake_up_s': '1,2,4',
    'reconcile_s': '0.3',
    'grace_s': '2',
}


def wait_for(condition: Callable[[], T], what: str, look_s: float = LOOK_S) -> T:
    """Wait until `condition` holds; what it returned."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, f'waited {PATIENCE_S:g} s for {what}'
        time.sleep(look_s)
    return found


class Cloud:
    """One machine. `start` after `kill` continues with what lies on the disk."""

    def __init__(self, libvirtd: PrivateLibvirtd) -> None:
        self.libvirtd = libvirtd
        self.network = Network.unused()
        self.path = libvirtd.folder / 'cloud'
        self._config = write_config(
            self.path,
            {
                'compute': {'driver': 'libvirt'},
                'operations': CLOCKS,
                'libvirt': {
                    'uri': libvirtd.uri,
                    'network_name': self.network.name,
                    'network_bridge': self.network.bridge,
                    'network_cidr': self.network.cidr,
                },
            },
        )
        self.path.chmod(0o755)  # whatever the umask: QEMU's user passes through
        self.process = AllInOne(self._config, 'eventlet')
        self.manage('db', 'upgrade')
        self._key: Path | None = None

    def start(self, backend: Backend = 'eventlet', die_at: str = '') -> None:
        """Start it, after a SIGKILL if it runs. `die_at`: a fault point at which it kills itself."""
        self.process.kill()
        self.process = AllInOne(self._config, backend)
        self.process.start(die_at)
        wait_for(self._host_is_up, 'the host to be up')

    def wait_dead(self) -> None:
        """Wait until it has killed itself."""
        assert self.process.wait_dead(PATIENCE_S), 'the fault point was not reached'

    def _host_is_up(self) -> bool:
        services = self.get('/v2.1/os-services')['services']
        return any(service['binary'] == 'cloudplane-compute' and service['state'] == 'up' for service in services)

    # Through HTTP

    def get(self, path: str) -> Any:
        """The body of a 200."""
        return self.process.client.get(path)

    def post(self, path: str, body: Any, status: int) -> Answer:
        """The answer, which must have this status."""
        answer = self.process.client.request('POST', path, body)
        assert answer.status == status, answer
        return answer

    def make_flavor(self, name: str, memory_mb: int = 128, disk_gb: int = 1) -> None:
        """A flavor whose id is its name."""
        flavor = {'id': name, 'name': name, 'ram': memory_mb, 'vcpus': 1, 'disk': disk_gb}
        self.post('/v2.1/flavors', {'flavor': flavor}, 200)

    def make_keypair(self, name: str) -> None:
        """A keypair that the server makes; `Server.run` logs in with its private key."""
        keypair = self.post('/v2.1/os-keypairs', {'keypair': {'name': name}}, 200).body['keypair']
        self._key = self.path / 'id'
        self._key.touch(0o600)
        self._key.write_text(keypair['private_key'])

    @property
    def key(self) -> Path:
        """The file with the private key of the last keypair."""
        assert self._key is not None, 'no keypair has been made'
        return self._key

    def try_to(self, ask: Callable[[], object]) -> None:
        """Ask for something, though the process may die before it has answered."""
        with contextlib.suppress(OSError, ValueError):
            ask()

    def boot(self, **fields: Any) -> 'Server':
        """Ask for one server, and do not wait for it."""
        answer = self.post('/v2.1/servers', {'server': fields}, 202)
        return Server(self, answer.body['server']['id'])

    def servers(self) -> list['Server']:
        """All there are."""
        return [Server(self, found['id']) for found in self.get('/v2.1/servers')['servers']]

    # On the machine

    def manage(self, *arguments: str) -> str:
        """What a cloudplane-manage command prints that must succeed."""
        done = self.process.manage(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def import_image(self, file: Path, name: str) -> str:
        """Add an image; its id."""
        return self.manage('image', 'create', name, '--file', str(file)).strip()

    def image(self, name: str) -> Any:
        """The image of that name, as operators see it."""
        found = [image for image in json.loads(self.manage('image', 'list', '--json')) if image['name'] == name]
        assert len(found) == 1, f'{len(found)} images are called {name}'
        return found[0]

    @contextlib.contextmanager
    def without_libvirtd(self) -> Iterator[None]:
        """SIGKILL libvirtd, and start it again in the end."""
        self.libvirtd.kill()
        try:
            yield
        finally:
            self.libvirtd.start()

    def part_files(self) -> list[Path]:
        """What is being written, or was when somebody died."""
        return [path for path in (self.path / 'state').rglob('*.part') if path.is_file()]

    def check(self, servers: int) -> None:
        """One domain, one folder, one address and one allocation for each server, nothing else; nothing half done."""
        assert len(self.libvirtd.names('list', '--all')) == servers
        assert len(list((self.path / 'state' / 'instances').iterdir())) == servers
        assert self.libvirtd.virsh('net-dumpxml', self.network.name).stdout.count('<hostname>') == servers
        assert self.part_files() == []
        assert self.manage('audit') == 'Everything agrees\n'
        (host,) = self.get('/v2.1/os-hypervisors/detail')['hypervisors']
        assert (host['running_vms'], host['vcpus_used']) == (servers, servers)

    def report(self) -> Iterator[tuple[str, str]]:
        """What somebody needs who wants to know why a test failed: names, and the ends of logs."""
        lines = (line for line in self.process.log().splitlines() if not POLLED.search(line))
        yield 'cloudplane-all-in-one', '\n'.join(lines)[-TAIL_CHARACTERS:]
        yield 'virsh list --all', self.libvirtd.virsh('list', '--all').stdout
        for console in sorted((self.path / 'state' / 'instances').glob('*/console.log')):
            yield f'console of {console.parent.name}', console.read_text(errors='replace')[-TAIL_CHARACTERS:]


class Server:
    """One server: what its user sees and does, and the domain behind it."""

    def __init__(self, cloud: Cloud, server_id: str) -> None:
        self._cloud, self.id = cloud, server_id
        self._path = f'/v2.1/servers/{server_id}'
        self.folder = cloud.path / 'state' / 'instances' / server_id
        self.domain = f'cp-{server_id}'

    def show(self) -> Any:
        """The server as the API shows it; None: it is gone."""
        answer = self._cloud.process.client.request('GET', self._path)
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return answer.body['server']

    def address(self) -> str:
        """Its only address."""
        ((address,),) = self.show()['addresses'].values()
        return str(address['addr'])

    def act(self, action: str, argument: Any = None) -> Answer:
        """Do something to it; it is accepted."""
        return self._cloud.post(f'{self._path}/action', {action: argument}, 202)

    def snapshot(self, name: str) -> str:
        """Ask for an image of its disk; the id of the image."""
        return self.act('createImage', {'name': name}).headers['Location'].rsplit('/', 1)[1]

    def delete(self) -> None:
        """Ask for its end; it is accepted."""
        answer = self._cloud.process.client.request('DELETE', self._path)
        assert answer.status == 204, answer

    def wait(self, status: str) -> Any:
        """Wait until it rests in a status; the server."""

        def rests() -> Any:
            server = self.show()
            assert server is not None, f'{self.id} is gone'
            assert server['status'] != 'ERROR', server.get('fault')
            return server if server['status'] == status and server['OS-EXT-STS:task_state'] is None else None

        return wait_for(rests, f'{self.id} to be {status}')

    def wait_gone(self) -> None:
        """Wait until it is deleted."""
        wait_for(lambda: self.show() is None, f'{self.id} to be gone')

    # The guest

    def console(self) -> str:
        """All that it has said."""
        answer = self._cloud.post(f'{self._path}/action', {'os-getConsoleOutput': {}}, 200)
        return str(answer.body['output'])

    def boots(self) -> int:
        """How often the guest has said that it is ready."""
        return len(READY.findall(self.console()))

    def wait_ready(self, boots: int = 1) -> tuple[str, str]:
        """Wait until it has said so that many times; the host name and the address that it said last."""

        def said() -> tuple[str, str] | None:
            found = READY.findall(self.console())
            return found[-1] if len(found) >= boots else None

        ready = wait_for(said, f'{self.id} to be ready for the {boots}. time')
        assert ready is not None
        return ready

    def host_key(self) -> str:
        """The key of its ssh server, as its console shows it."""
        return str(HOST_KEY.findall(self.console())[-1])

    def run(self, script: str, status: int = 0) -> str:
        """What a script prints that is run by ssh, at the address that the API shows."""
        address = self.address()
        known_hosts = self._cloud.path / f'known-hosts-{self.id}'
        known_hosts.write_text(f'{address} {self.host_key()}\n')
        options = [f'UserKnownHostsFile={known_hosts}', 'StrictHostKeyChecking=yes', 'IdentitiesOnly=yes']
        options += ['BatchMode=yes', f'ConnectTimeout={SSH_TIMEOUT_S:g}']
        command = ['ssh', '-F', 'none', '-i', str(self._cloud.key), *(f'-o{option}' for option in options)]
        done = subprocess.run(
            [*command, f'root@{address}', 'sh'],
            input=script,
            capture_output=True,
            text=True,
            timeout=SSH_TIMEOUT_S,
            env={name: value for name, value in os.environ.items() if not name.startswith('SSH_')},
        )
        assert done.returncode == status, f'{done.returncode}: {done.stdout}{done.stderr}'
        return done.stdout

    def power_off_inside(self) -> None:
        """Let the guest power itself off, after it has answered."""
        self.run('(sleep 1; poweroff) > /dev/null 2>&1 &')

    def boot_id(self) -> str:
        """Another one for each boot of its kernel."""
        return self.run('cat /proc/sys/kernel/random/boot_id')

    # The domain

    def domain_id(self) -> int:
        """Another one for each start of its machine; a reboot from inside keeps it."""
        return int(self._cloud.libvirtd.virsh('domid', self.domain).stdout)

    def domain_state(self) -> str:
        """State and reason, as virsh says it: `shut off (shutdown)`."""
        return self._cloud.libvirtd.virsh('domstate', '--reason', self.domain).stdout.strip()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """QEMU does nothing meanwhile."""
        qemu_pid = int((self._cloud.libvirtd.folder / 'run' / 'qemu' / f'{self.domain}.pid').read_text())
        os.kill(qemu_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(qemu_pid, signal.SIGCONT)
