"""The guest images, booted by qemu alone: what they promise to whoever starts them.

What cloudplane does with it (libvirt, the config drive that the agent writes) is for the other tests of this folder.
"""

import base64
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.services.ports import free_port
from tests.services.process import OwnedProcess

pytestmark = pytest.mark.real

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
# Several times what an emulated CPU needs on an idle machine with two cores.
BOOT_TIMEOUT_S = 90
# The guest itself takes less than a second, Debian two.
POWER_OFF_TIMEOUT_S = 20
SSH_TIMEOUT_S = 60
READY = r'^cloudplane guest ready: (\S+) (\S+)\r?$'
# As the small guest prints it, or cloud-init.
HOST_KEY = r'^(?:cloudplane guest: ssh host key )?(ssh-ed25519 \S+)'
USER_DATA = '#!/bin/bash\necho "user data of $(hostname) speaks"\necho ran >> /root/user-data-runs\n'


@dataclass(frozen=True)
class Instance:
    """What a config drive says."""

    uuid: str
    hostname: str
    public_keys: dict[str, str] = field(default_factory=dict)
    admin_pass: str | None = None
    user_data: str | None = None

    def write_drive(self, folder: Path) -> Path:
        """Make the medium, as the compute agent does."""
        latest = folder / 'drive' / 'openstack' / 'latest'
        latest.mkdir(parents=True)
        metadata: dict[str, Any] = {'uuid': self.uuid, 'hostname': self.hostname, 'name': self.hostname}
        metadata |= {'public_keys': self.public_keys, 'meta': {'uuid': 'not this', 'admin_pass': 'nor this'}}
        if self.admin_pass is not None:
            metadata['admin_pass'] = self.admin_pass
        (latest / 'meta_data.json').write_text(json.dumps(metadata))
        if self.user_data is not None:
            (latest / 'user_data').write_text(self.user_data)
        medium = folder / 'config-drive.iso'
        command = ['genisoimage', '-quiet', '-R', '-J', '-V', 'config-2', '-o', str(medium), str(folder / 'drive')]
        subprocess.run(command, check=True)
        return medium


class Machine:
    """A machine that runs the image: qemu, its console in a file, its ssh port on the loopback interface."""

    def __init__(self, folder: Path, disk: Path, drive: Path | None, *, nic: bool = True, memory_mb: int = 256) -> None:
        self._folder = folder
        self._port = free_port()
        self._console = folder / 'console.log'
        command = ['qemu-system-x86_64', '-nodefaults', '-display', 'none', '-machine', 'q35,accel=tcg']
        command += ['-m', str(memory_mb)]
        command += ['-serial', f'file:{self._console}', '-qmp', f'unix:{folder}/qmp,server=on,wait=off']
        command += ['-drive', f'file={disk},format=qcow2,if=virtio', '-device', 'virtio-rng-pci']
        if drive:
            command += ['-drive', f'file={drive},format=raw,readonly=on,if=none,id=drive']
            command += ['-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=drive']
        if nic:
            command += ['-netdev', f'user,id=net,hostfwd=tcp:127.0.0.1:{self._port}-:22']
            command += ['-device', 'virtio-net-pci,netdev=net']
        self._qemu = OwnedProcess(command, os.environ, folder / 'qemu.log', folder)

    def __enter__(self) -> 'Machine':
        return self

    def __exit__(self, *exception: object) -> None:
        self._qemu.kill()

    def console(self) -> str:
        """All that the guest has printed."""
        return self._console.read_text(errors='replace') if self._console.exists() else ''

    def wait_for(self, pattern: str, *, times: int = 1, timeout_s: float = BOOT_TIMEOUT_S) -> re.Match[str]:
        """Wait until the console shows a line that many times; the last match."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and self._qemu.is_running():
            found = list(re.finditer(pattern, self.console(), re.MULTILINE))
            if len(found) >= times:
                return found[times - 1]
            time.sleep(0.05)
        complaints = (self._folder / 'qemu.log').read_text()
        pytest.fail(f'the console does not show {pattern!r} {times} times:\n{self.console()}\n{complaints}')

    def host_key(self) -> str:
        """The key that the guest says it has."""
        return self.wait_for(HOST_KEY).group(1)

    def ssh(self, key: Path, script: str, *options: str, user: str = 'root') -> subprocess.CompletedProcess[str]:
        """Run a script by ssh, against the host key that the console shows."""
        known_hosts = self._folder / 'known_hosts'
        known_hosts.write_text(f'[127.0.0.1]:{self._port} {self.host_key()}\n')
        command = ['ssh', '-F', 'none', '-p', str(self._port), '-i', str(key), '-o', 'IdentitiesOnly=yes']
        command += ['-o', f'UserKnownHostsFile={known_hosts}', '-o', 'StrictHostKeyChecking=yes', *options]
        command += [f'{user}@127.0.0.1', 'sh']
        environment = {name: value for name, value in os.environ.items() if not name.startswith('SSH_')}
        environment |= {'SSH_ASKPASS': str(self._folder / 'password'), 'SSH_ASKPASS_REQUIRE': 'force'}
        return subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=SSH_TIMEOUT_S, env=environment
        )

    def answer(self, key: Path, script: str) -> str:
        """What a script prints that must succeed."""
        done = self.ssh(key, script, '-o', 'BatchMode=yes')
        assert done.returncode == 0, done.stderr
        return done.stdout

    def monitor(self, command: str, **arguments: Any) -> None:
        """Give qemu's monitor a command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f'{self._folder}/qmp')
            stream = connection.makefile('rw')
            stream.readline()  # the greeting
            for execute, given in (('qmp_capabilities', {}), (command, arguments)):
                stream.write(json.dumps({'execute': execute, 'arguments': given}) + '\n')
                stream.flush()
                answers = (json.loads(line) for line in stream)
                answer = next(answer for answer in answers if 'event' not in answer)
                assert 'return' in answer, answer

    def wait_until_off(self) -> None:
        """Wait until the machine is off by itself."""
        deadline_s = time.monotonic() + POWER_OFF_TIMEOUT_S
        while self._qemu.is_running():
            if time.monotonic() > deadline_s:
                pytest.fail(f'the guest did not power off:\n{self.console()}')
            time.sleep(0.05)


@pytest.fixture(scope='session')
def build(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that builds the image, with a cache for this session."""
    cache = tmp_path_factory.mktemp('guest-image-cache')
    install = ['--install-packages'] if os.geteuid() == 0 else []
    return [str(TOOLS / 'build-guest-image'), '--cache', str(cache), *install]


@pytest.fixture(scope='session')
def image(build: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image."""
    output = tmp_path_factory.mktemp('guest-image') / 'guest.qcow2'
    subprocess.run([*build, '--output', str(output)], check=True)
    return output


@pytest.fixture(scope='session')
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two ssh keys."""
    paths = [tmp_path_factory.mktemp('keys') / name for name in ('first', 'second')]
    for path in paths:
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(path)], check=True)
    return paths


@pytest.fixture
def disk(image: Path, tmp_path: Path) -> Path:
    """A disk on top of the image."""
    return overlay(image, tmp_path / 'disk.qcow2')


def overlay(base: Path, disk: Path) -> Path:
    """An empty disk on top of another one."""
    command = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', str(base), '-F', 'qcow2', str(disk)]
    subprocess.run(command, check=True)
    return disk


def boot(folder: Path, disk: Path, instance: Instance) -> Machine:
    """Start a machine of that identity in a folder of its own."""
    folder.mkdir()
    return Machine(folder, disk, instance.write_drive(folder))


def public(key: Path) -> str:
    """The public half of a key, as a file has it: with its newline."""
    return key.with_suffix('.pub').read_text()


@pytest.fixture(scope='module')
def running(image: Path, keys: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A guest that is ready, for tests that change nothing in it."""
    folder = tmp_path_factory.mktemp('running')
    instance = Instance('6f1c', 'web-1.example', {'mine': public(keys[0])}, user_data=USER_DATA)
    with boot(folder / 'machine', overlay(image, folder / 'disk.qcow2'), instance) as machine:
        machine.wait_for(READY)
        yield machine


def test_the_image_is_small_and_complete(image: Path) -> None:
    assert image.stat().st_size < 20_000_000
    subprocess.run(['qemu-img', 'check', '-q', str(image)], check=True)


def test_a_second_build_of_the_same_recipe_leaves_the_image_alone(build: list[str], image: Path) -> None:
    before = image.stat()
    done = subprocess.run([*build, '--output', str(image)], check=True, capture_output=True, text=True)
    assert image.stat().st_mtime_ns == before.st_mtime_ns
    assert 'Fetching' not in done.stdout


def test_a_build_that_cannot_write_its_output_says_so_and_leaves_nothing(build: list[str], tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    done = subprocess.run([*build, '--output', str(tmp_path / 'file' / 'x')], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r'build-guest-image: .*\n', done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_the_guest_says_when_it_is_ready_with_its_name_and_its_address(running: Machine) -> None:
    assert running.wait_for(READY).groups() == ('web-1.example', '10.0.2.15')


def test_root_logs_in_with_the_key_of_the_config_drive(running: Machine, keys: list[Path]) -> None:
    assert running.answer(keys[0], 'hostname; id -un') == 'web-1.example\nroot\n'


def test_nobody_logs_in_with_another_key_or_a_password(running: Machine, keys: list[Path]) -> None:
    done = running.ssh(keys[1], 'true', '-o', 'BatchMode=yes')
    assert 'Permission denied (publickey)' in done.stderr


def test_user_data_is_run_and_heard_on_the_console(running: Machine, keys: list[Path]) -> None:
    assert running.answer(keys[0], 'cat /root/user-data-runs') == 'ran\n'
    assert re.search(r'^user data of web-1.example speaks', running.console(), re.MULTILINE)
    assert 'cloudplane guest: user data ended with status 0' in running.console()


def test_the_console_offers_a_login(running: Machine) -> None:
    running.wait_for(r'^root@web-1:~# ')


HOSTILE_TEXTS = [
    *('plain', '', 'a"b', 'a\\', 'a\\"b\\\\', '\\n is not a newline', 'two\nlines\n', 'tab\there', '/slash/', '-n'),
    *('$(reboot) `reboot`', "it's; #", '%s %d %c', '&&&', '{"name": "other"}', '[1, 2], "name": 3'),
    *('Ünïcödé ✓ 😀', '\x01\x7f\b\f', 'x' * 70_000),
]


def test_the_guest_reads_any_text_that_json_can_hold(running: Machine, keys: list[Path]) -> None:
    script = ''
    for text in HOSTILE_TEXTS:
        for ascii_only, indent in ((True, None), (False, 2)):
            around = {'other': {'name': 'no', 'list': [['name', 1], {}]}, 'name': text, 'last': ['name', 'x', None]}
            document = json.dumps(around, ensure_ascii=ascii_only, indent=indent)
            script += f'echo {base64.b64encode(document.encode()).decode()} | base64 -d > /tmp/document\n'
            script += '/usr/lib/cloudplane-guest/json-value /tmp/document name | base64 -w 0; echo\n'
    lines = running.answer(keys[0], script).splitlines()
    read = [base64.b64decode(line).decode() for line in lines]
    assert read == [f'{text}\n' for text in HOSTILE_TEXTS for _ in range(2)]


def test_the_guest_reads_members_and_refuses_json_that_is_cut_short(running: Machine, keys: list[Path]) -> None:
    document = '{"a": {"x": "1", "y": {"z": "no"}, "w": "2"}, "b": [3, "4", true], "c": -5.0e1, "d": null, "e": {}}'
    values = {'a': '1 2', 'b': '3 4 true', 'c': '-5.0e1', 'd': '', 'e': '', 'x': ''}
    script = f"echo '{document}' > /tmp/document\n"
    for name in values:
        script += f'echo $(/usr/lib/cloudplane-guest/json-value /tmp/document {name})\n'
    assert running.answer(keys[0], script) == ''.join(f'{value}\n' for value in values.values())
    cut_short = 'echo \'{"name": ["x\' > /tmp/document; /usr/lib/cloudplane-guest/json-value /tmp/document name'
    assert running.ssh(keys[0], cut_short).returncode == 1


def test_a_guest_lives_through_reboots_and_a_power_cut_and_wakes_up_as_another_instance(
    disk: Path, keys: list[Path], tmp_path: Path
) -> None:
    first = Instance('1111', 'first', {'mine': public(keys[0])}, user_data=USER_DATA)
    with boot(tmp_path / 'first', disk, first) as machine:
        machine.wait_for(READY)
        first_host_key = machine.host_key()
        machine.answer(keys[0], 'reboot')
        machine.wait_for(READY, times=2)
        control_alt_delete = [{'type': 'qcode', 'data': key} for key in ('ctrl', 'alt', 'delete')]
        machine.monitor('send-key', keys=control_alt_delete)
        machine.wait_for(READY, times=3)
        assert 'recovery' not in machine.answer(keys[0], 'dmesg')
        assert machine.answer(keys[0], 'cat /root/user-data-runs; echo kept > /root/file') == 'ran\n'
    second = Instance('2222', 'second', {'other': public(keys[1])}, user_data=USER_DATA)
    with boot(tmp_path / 'second', disk, second) as machine:
        assert machine.wait_for(READY).group(1) == 'second'
        assert machine.host_key() != first_host_key
        assert machine.answer(keys[1], 'cat /root/file /root/user-data-runs') == 'kept\nran\nran\n'
        assert machine.ssh(keys[0], 'true', '-o', 'BatchMode=yes').returncode == 255


def test_a_hostile_config_drive_gets_a_legal_name_and_its_own_password(
    disk: Path, keys: list[Path], tmp_path: Path
) -> None:
    password = 'p:a"s\\s\'$(reboot) ü'
    hostile_keys = {'$(reboot)"\n': f'\r\n{public(keys[0])}\n\n', '': public(keys[1]).rstrip('\n')}
    name = '-$(reboot); my_Ünï "host"\\\n/../'
    instance = Instance('../../4444\n', name, hostile_keys, password, 'no script\n')
    with boot(tmp_path / 'machine', disk, instance) as machine:
        assert machine.wait_for(READY).group(1) == 'reboot-my-n-host'
        for key in keys:
            assert machine.answer(key, 'ls /var/lib/cloudplane-guest') == 'instance-id\nuser-data\n'
        assert machine.answer(keys[0], 'cat /var/lib/cloudplane-guest/instance-id') == '4444\n'
        assert 'the user data is not a script' in machine.console()
        (tmp_path / 'machine' / 'password').write_text(f"#!/bin/sh\ncat <<'END'\n{password}\nEND\n")
        (tmp_path / 'machine' / 'password').chmod(0o700)
        by_password = ('-o', 'PreferredAuthentications=password', '-o', 'NumberOfPasswordPrompts=1')
        assert machine.ssh(keys[0], 'echo in', *by_password).stdout == 'in\n'


def test_without_config_drive_and_nic_the_guest_is_ready_all_the_same(disk: Path, tmp_path: Path) -> None:
    (tmp_path / 'machine').mkdir()
    with Machine(tmp_path / 'machine', disk, None, nic=False) as machine:
        assert machine.wait_for(READY).groups() == ('cloudplane-guest', 'no-address')
        machine.monitor('system_powerdown')
        machine.wait_until_off()


@pytest.mark.debian_image
@pytest.mark.timeout(1200)
@pytest.mark.skipif('CLOUDPLANE_TEST_DEBIAN_IMAGE' not in os.environ, reason='set CLOUDPLANE_TEST_DEBIAN_IMAGE=1')
def test_a_debian_image_boots_takes_its_identity_from_the_config_drive_and_powers_off(
    keys: list[Path], tmp_path: Path
) -> None:
    image = tmp_path / 'debian.qcow2'
    command = [str(TOOLS / 'build-debian-image'), '--install-packages', '--cache', str(tmp_path / 'cache')]
    subprocess.run([*command, '--output', str(image)], check=True)
    instance = Instance('5555', 'real-1', {'mine': public(keys[0])}, user_data=USER_DATA)
    (tmp_path / 'machine').mkdir()
    drive = instance.write_drive(tmp_path / 'machine')
    with Machine(tmp_path / 'machine', image, drive, memory_mb=1024) as machine:
        machine.wait_for(r'Cloud-init v\. \S+ finished at .* DataSourceConfigDrive', timeout_s=600)
        done = machine.ssh(keys[0], 'hostname; sudo cat /root/user-data-runs', '-o', 'BatchMode=yes', user='debian')
        assert done.stdout == 'real-1\nran\n', done.stderr
        machine.monitor('system_powerdown')
        machine.wait_until_off()
