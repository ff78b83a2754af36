"""libvirt on this machine: its daemons, started if they do not run, and what a quickstart has made in it.

Daemons that run already belong to somebody else and are left alone. Those that were started here are remembered for all
quickstarts of the machine, and the last one to leave ends them.
"""

import json
import socket
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass
from pathlib import Path

from checkout.programs import Failure, answer, run

from quickstart import kvm, processes
from quickstart.machine import FOLDER, forget, leave, members, shared
from quickstart.place import Note, Place

URI = 'qemu:///system'
# The default places: another libvirtd that comes up would find that they are taken.
PID_FILES = {'virtlogd': Path('/run/virtlogd.pid'), 'libvirtd': Path('/run/libvirtd.pid')}
SYSTEMD = Path('/run/systemd/system')
_LOG_SOCKET = '/run/libvirt/virtlogd-sock'
_MARKS = '{urn:cloudplane:guest:1}guest'  # what the agent writes into the metadata of its guests
_NOTE = FOLDER / 'daemons.json'
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_UNDEFINE = ('--managed-save', '--snapshots-metadata', '--checkpoints-metadata', '--nvram')


@dataclass(frozen=True)
class Daemon:
    """A daemon that was started here. pid 0: by systemd, whose unit it is."""

    name: str
    pid: int
    started: int


def virsh(*arguments: str) -> str | None:
    """What virsh prints; None if it fails."""
    return answer(['virsh', '-q', '-c', URI, *arguments])


def start(log: Path) -> list[str]:
    """See that libvirt runs; the names of the daemons that had to be started."""
    with shared():
        needed = [name for name, answers in (('virtlogd', _logs), ('libvirtd', _runs)) if not answers()]
        for name in needed:
            _remember([*_daemons(), _start(name, log)])
    return needed


def _start(name: str, log: Path) -> Daemon:
    if SYSTEMD.is_dir():
        run(['systemctl', 'start', f'{name}.service'], log)
        daemon = Daemon(name, 0, 0)
    else:
        run([*(kvm.around_daemon() if name == 'libvirtd' else ()), name, '-d', '-p', PID_FILES[name]], log)
        pid = int(PID_FILES[name].read_text())
        daemon = Daemon(name, pid, processes.birth(pid))
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while not (_logs() if name == 'virtlogd' else _runs()):
        if time.monotonic() > deadline_s:
            raise Failure(f'{name} was started, but does not answer. What it says: {log} and /var/log/libvirt/')
        time.sleep(0.05)
    return daemon


def _logs() -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(_LOG_SOCKET)
        except OSError:
            return False
    return True


def _runs() -> bool:
    return virsh('uri') is not None


def remove_guests(note: Note) -> int:
    """Remove the guests of this quickstart; how many there were."""
    mine = [name for name in (virsh('list', '--all', '--name') or '').split() if _host_of(name) == note.host]
    for name in mine:
        virsh('destroy', name)  # it may be off
        if virsh('undefine', name, *_UNDEFINE) is None:
            raise Failure(f'The guest {name} could not be removed. Try: virsh undefine {name} {" ".join(_UNDEFINE)}')
    for log in Path('/var/log/libvirt/qemu').glob('cp-*.log*'):
        if str(note.state_path) in log.read_text(errors='replace'):  # of servers that are long gone, too
            log.unlink()
    return len(mine)


def _host_of(domain: str) -> str | None:
    text = virsh('dumpxml', domain)  # None: it went away meanwhile
    marks = ET.fromstring(text).find(f'metadata/{_MARKS}') if text is not None else None
    return marks.get('host') if marks is not None else None


def remove_network(note: Note) -> None:
    """Remove the network of this quickstart, if the agent has made it already."""
    if note.network_name not in (virsh('net-list', '--all', '--name') or '').split():
        return
    virsh('net-destroy', note.network_name)  # it may be inactive
    if virsh('net-undefine', note.network_name) is None:
        raise Failure(f'The network could not be removed. Try: virsh net-undefine {note.network_name}')


def stop_if_last(note: Note) -> str:
    """End the daemons that quickstarts have started, if nobody uses them any more; what was done, in words."""
    with shared():
        leave(note)
        if members():
            return 'left running for the other quickstarts of this machine'
        mine = _daemons()
        guests = (virsh('list', '--name') or '').split() if mine else []
        if guests:
            return f'left running for guests that are not ours: {" ".join(guests)}'
        for daemon in reversed(mine):
            _stop(daemon)
        forget()
    names = ' and '.join(daemon.name for daemon in reversed(mine))
    return f'stopped {names}' if names else 'left as they were found'


def _stop(daemon: Daemon) -> None:
    if daemon.pid == 0:
        run(['systemctl', 'stop', f'{daemon.name}.service'], Place.setup_log)
    else:
        processes.end(daemon.pid, daemon.started, what=daemon.name, timeout_s=_STOP_TIMEOUT_S)


def _daemons() -> list[Daemon]:
    """Those that were started here and still run."""
    try:
        found = [Daemon(**entry) for entry in json.loads(_NOTE.read_text())]
    except FileNotFoundError:
        return []
    return [daemon for daemon in found if daemon.pid == 0 or processes.lives(daemon.pid, daemon.started)]


def _remember(daemons: list[Daemon]) -> None:
    part = _NOTE.with_suffix('.part')
    part.write_text(json.dumps([asdict(daemon) for daemon in daemons]))
    part.rename(_NOTE)
