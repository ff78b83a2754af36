"""A private libvirtd with its virtlogd, in a mount namespace of its own: nothing of the machine's libvirt is touched.

Its guests live on when it is killed, as they do in production. Networks are the kernel's and so are shared with the
whole machine: give bridges and address ranges names of your own (`Network.of`). Needs root.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.services.process import OwnedProcess
from tests.services.server import STATE_ROOT, ServerFailed

# Holds the namespace. When its input ends, because we closed it or died, it removes what outlives a libvirtd.
_HOLDER = """
set -e
mount --make-rprivate /
for name in run lib log cache etc; do
    case $name in run) to=/run/libvirt;; etc) to=/etc/libvirt;; *) to=/var/$name/libvirt;; esac
    mount --bind "$1/$name" "$to"
done
# Without udev /dev/kvm belongs to root alone; QEMU's user cannot open it, and libvirt then examines QEMU anew, for
# seconds, before each call. In here it gets the owner that udev would have given it. And where the CPU cannot
# virtualise it becomes a device that nobody can open: libvirt would wait seconds for a QEMU that hangs in KVM.
if [ -c /dev/kvm ]; then
    if grep -q -w -E 'vmx|svm' /proc/cpuinfo; then number='10 232' mode=0660; else number='10 255' mode=0600; fi
    mknod -m "$mode" "$1/kvm" c $number
    chgrp kvm "$1/kvm"
    mount --bind "$1/kvm" /dev/kvm
fi
echo ready
read -r _ || true
for file in "$1"/run/qemu/*.pid "$1"/run/network/*.pid; do
    [ -e "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null || true
done
for file in "$1"/run/network/*.xml; do
    [ -e "$file" ] || continue
    bridge=$(sed -n "s/.*<bridge name='\\([^']*\\)'.*/\\1/p" "$file")
    [ -z "$bridge" ] || ip link delete "$bridge" 2>/dev/null || true
done
rm -rf -- "$1"
"""
_FOLDERS = ('/run/libvirt', '/var/lib/libvirt', '/var/log/libvirt', '/var/cache/libvirt', '/etc/libvirt')
_ENVIRONMENT = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8'}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Names and addresses for one test's NAT network."""

    name: str
    bridge: str
    cidr: str

    @classmethod
    def of(cls, number: int) -> 'Network':
        """The network of a number (0 to 254) that no other test of this machine uses at the same time."""
        return cls(name=f'cloudplane-test-{number}', bridge=f'cptest{number}', cidr=f'10.231.{number}.0/24')

    @classmethod
    def unused(cls) -> 'Network':
        """The first network whose bridge does not exist, beginning at one that depends on our process id."""
        for step in range(250):
            network = cls.of((os.getpid() + step) % 250)
            if not Path('/sys/class/net', network.bridge).exists():
                return network
        raise ServerFailed('every bridge that tests may use exists: remove those whose names begin with cptest')


class PrivateLibvirtd:
    """One libvirtd. `kill` and `start` again is a crash with a restart; `close` removes its guests and networks."""

    start_timeout_s = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix='cloudplane-libvirtd-', dir=STATE_ROOT))
        self.folder.chmod(0o755)
        self.socket = self.folder / 'run' / 'libvirt-sock'
        self.uri = f'qemu+unix:///system?socket={self.socket}'
        self._holder: subprocess.Popen[str] | None = None
        self._virtlogd: OwnedProcess | None = None
        self._libvirtd: OwnedProcess | None = None

    @property
    def pid(self) -> int:
        """The libvirtd process."""
        if self._libvirtd is None:
            raise ServerFailed('libvirtd has not been started')
        return self._libvirtd.pid

    def start(self) -> None:
        """Start what does not run and return when libvirtd answers."""
        if self._holder is None:
            self._holder = self._hold_namespace()
        if self._virtlogd is None or not self._virtlogd.is_running():
            self._virtlogd = self._launch('virtlogd')
        if self._libvirtd is None or not self._libvirtd.is_running():
            self._libvirtd = self._launch('libvirtd')
        deadline_s = time.monotonic() + self.start_timeout_s
        while self.virsh('version').returncode != 0:
            if not self._libvirtd.is_running() or time.monotonic() > deadline_s:
                raise ServerFailed(f'libvirtd does not answer.\n{self._log("libvirtd").read_text()[-4000:]}')
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL libvirtd; its guests, its networks and virtlogd go on."""
        if self._libvirtd is not None:
            self._libvirtd.kill()

    def stop(self) -> None:
        """End libvirtd in order; its guests, its networks and virtlogd go on."""
        if self._libvirtd is not None:
            self._libvirtd.stop(signal.SIGTERM, timeout_s=30)

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self.start()

    def virsh(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run virsh against it."""
        return subprocess.run(
            ['virsh', '-q', '-c', self.uri, *arguments], capture_output=True, text=True, env=_ENVIRONMENT
        )

    def names(self, *arguments: str) -> list[str]:
        """The names that a `virsh … --name` command prints."""
        return self.virsh(*arguments, '--name').stdout.split()

    def close(self) -> None:
        """Remove guests, networks, daemons and files."""
        if self._libvirtd is not None and self._libvirtd.is_running():
            for domain in self.names('list'):
                self.virsh('destroy', domain)
            for network in self.names('net-list'):
                self.virsh('net-destroy', network)  # takes its firewall rules along
        self.kill()
        if self._virtlogd is not None:
            self._virtlogd.kill()
        if self._holder is not None:
            self._holder.communicate('')
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

    def _hold_namespace(self) -> 'subprocess.Popen[str]':
        for target in _FOLDERS:
            Path(target).mkdir(parents=True, exist_ok=True)
        for name in ('run', 'lib', 'log', 'cache', 'etc'):
            (self.folder / name).mkdir()
        (self.folder / 'etc' / 'libvirtd.conf').write_text('auth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        holder = subprocess.Popen(
            ['unshare', '-m', 'sh', '-c', _HOLDER, 'holder', str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != 'ready\n':
            raise ServerFailed('cannot make a mount namespace: these tests need root')
        return holder

    def _launch(self, daemon: str) -> OwnedProcess:
        assert self._holder is not None
        program = shutil.which(daemon, path=_ENVIRONMENT['PATH'])
        if program is None:
            raise ServerFailed(f'{daemon} is not installed: install libvirt-daemon-system')
        # A folder of its own: OwnedProcess removes it when we die, and the holder still needs the others then.
        home = self.folder / f'{daemon}.home'
        home.mkdir(exist_ok=True)
        command = ['nsenter', f'--target={self._holder.pid}', '--mount', '--wdns=/', program]
        pid_file = ['-p', str(self.folder / f'{daemon}.pid')]
        return OwnedProcess([*command, *pid_file], _ENVIRONMENT, self._log(daemon), home)

    def _log(self, daemon: str) -> Path:
        return self.folder / f'{daemon}.log'
