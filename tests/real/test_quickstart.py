"""tools/quickstart from beginning to end, on a view of this machine that nobody else sees.

In a mount namespace the checkout is covered by a copy on write, and the folders of libvirt and of cloudplane are empty.
The environment, .venv, is the one that the tests run in when tools/test runs them.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

CHECKOUT = Path(__file__).resolve().parents[2]
# Downloads and the first build of the image are in it; what is there already takes 20 s.
TIMEOUT_S = 280
# $1: the checkout. Ends when its input does.
_HOLDER = """
set -e
mount --make-rprivate /
for folder in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    [ -d "$folder" ] || continue
    mount -t tmpfs -o mode=0755 tmpfs "$folder"
done
mkdir -p /var/lib/cloudplane
mount -t tmpfs -o mode=0755 tmpfs /var/lib/cloudplane
mkdir /run/copy
mount -t tmpfs -o mode=0755 tmpfs /run/copy
mkdir /run/copy/changes /run/copy/work
mount -t overlay -o "lowerdir=$1,upperdir=/run/copy/changes,workdir=/run/copy/work" overlay "$1"
rm -rf "$1/.quickstart"
echo ready
read -r _ || true
"""


class Machine:
    """The view of this machine, while the tests of this module run."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ['unshare', '--mount', 'sh', '-c', _HOLDER, 'sh', str(CHECKOUT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == 'ready\n'

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line for the shell, away from the checkout."""
        return subprocess.run(
            ['nsenter', '--target', str(self._holder.pid), '--mount', '--wd=/', 'bash', '-c', command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )

    def answer(self, command: str) -> str:
        """What a line prints that must succeed."""
        done = self.run(command)
        assert done.returncode == 0, f'{command}\n{done.stdout}'
        return done.stdout

    def quickstart(self, *arguments: str) -> str:
        """Run it; what it prints."""
        return self.answer(f'{CHECKOUT}/tools/quickstart {" ".join(arguments)}')

    def close(self) -> None:
        """Forget the view; what was started in it must have been stopped."""
        self._holder.communicate('')


@pytest.fixture(scope='module')
def machine() -> Iterator[Machine]:
    """A machine without libvirtd, and a checkout without quickstart."""
    if os.geteuid() != 0:
        pytest.skip('it needs root')
    made = Machine()
    try:
        yield made
    finally:
        made.run(f'{CHECKOUT}/tools/quickstart --stop')
        made.close()


@pytest.fixture(scope='module')
def printed(machine: Machine) -> str:
    """What the first run prints."""
    return machine.quickstart()


def line(printed: str, title: str) -> str:
    """The command that is printed beside a title."""
    found = re.search(rf'^  {title} +(\S.*)$', printed, re.MULTILINE)
    assert found, printed
    return found[1]


def test_it_ends_with_the_console_of_a_guest_that_is_ready(printed: str) -> None:
    assert re.search(r'^\[8/8\] Server "first" … [\d.]+ s: booted, ACTIVE at ([\d.]+)$', printed, re.MULTILINE)
    assert re.search(r'^    \| cloudplane guest ready: first [\d.]+$', printed, re.MULTILINE)


def test_the_ssh_line_logs_in(machine: Machine, printed: str) -> None:
    assert machine.answer(f'{line(printed, "log in")} hostname') == 'first\n'


def test_the_curl_lines_work(machine: Machine, printed: str) -> None:
    listed = json.loads(machine.answer(line(printed, 'list servers')))['servers']
    shown = json.loads(machine.answer(line(printed, 'show this one')))['server']
    console = json.loads(machine.answer(line(printed, 'its console')))['output']
    assert [server['id'] for server in listed] == [shown['id']]
    assert shown['status'] == 'ACTIVE'
    assert 'first' in console


def test_a_second_run_boots_no_second_server(machine: Machine, printed: str) -> None:
    assert 'runs already, ACTIVE' in machine.quickstart()
    assert len(json.loads(machine.answer(line(printed, 'list servers')))['servers']) == 1


def test_a_run_after_a_kill_and_a_delete_repairs_both(machine: Machine, printed: str) -> None:
    machine.answer(line(printed, 'delete it'))
    note = json.loads(machine.answer(f'cat {CHECKOUT}/.quickstart/quickstart.json'))
    machine.answer(f'kill -KILL {note["pid"]}')
    again = machine.quickstart()
    assert 'cloudplane … ' in again
    assert ': booted, ACTIVE at ' in again
    assert machine.answer(f'{line(again, "log in")} hostname') == 'first\n'


def test_stop_leaves_nothing_behind(machine: Machine, printed: str) -> None:
    machine.answer('touch /var/lib/cloudplane/of-somebody-else')
    note = json.loads(machine.answer(f'cat {CHECKOUT}/.quickstart/quickstart.json'))
    daemon = machine.answer('cat /run/libvirtd.pid').strip()
    machine.quickstart('--stop')
    assert machine.answer('ls /var/lib/cloudplane') == 'of-somebody-else\n'
    assert machine.run(f'ls -d {CHECKOUT}/.quickstart /run/cloudplane-quickstart').returncode == 2
    assert not Path(f'/sys/class/net/cpq{note["id"]}').exists()
    for pid in (note['pid'], daemon):
        assert _is_gone(int(pid))
    assert 'Nothing to stop' in machine.quickstart('--stop')


def _is_gone(pid: int) -> bool:
    """Whether it runs no more. Where nobody collects what has ended, a zombie stays."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2].startswith('Z')
    except FileNotFoundError:
        return True
