"""What the quickstarts of one machine share: which ports and networks they have, and libvirt's daemons.

Kept below /run: all of it ends with the machine. Whoever changes something holds the folder's lock.
"""

import contextlib
import ipaddress
import json
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from checkout import CHECKOUT
from checkout.locks import locked
from checkout.programs import Failure, answer

from quickstart.place import Note, Place

FOLDER = Path('/run/cloudplane-quickstart')
FIRST_PORT = 8774
# The default of [libvirt] network_cidr comes first; the others are private and seldom used.
NETWORKS = tuple(f'192.168.{number}.0/24' for number in (*range(148, 200), *range(60, 120)))
_MEMBER_SUFFIX = '.member'


@dataclass(frozen=True)
class Member:
    """One quickstart of this machine."""

    id: str
    checkout: str
    port: int
    network_cidr: str

    @property
    def exists(self) -> bool:
        """Whether its checkout still knows of it; it may have been removed without --stop."""
        return (Path(self.checkout) / Place.folder.name).is_dir()


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Hold the lock of this machine's quickstarts."""
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    with locked(FOLDER):
        yield


def join(note: Note) -> None:
    """Tell the others that this quickstart is there, before it relies on what is shared."""
    with shared():
        _register(note)


def choose(note: Note, *, keep_port: bool) -> None:
    """Choose what this quickstart has for itself, and tell the others. `keep_port`: it is in use, by ourselves."""
    with shared():
        others = [member for member in members() if member.id != note.id]
        if not (keep_port or _is_free(note.port, others)):
            note.port = _free_port(others)
        if not note.network_cidr:
            note.network_cidr = _free_network(others)
        _register(note)


def _register(note: Note) -> None:
    member = Member(note.id, str(CHECKOUT), note.port, note.network_cidr)
    (FOLDER / f'{note.id}{_MEMBER_SUFFIX}').write_text(json.dumps(asdict(member)))


def leave(note: Note) -> None:
    """It has nothing any more. Called with the lock held."""
    (FOLDER / f'{note.id}{_MEMBER_SUFFIX}').unlink(missing_ok=True)


def members() -> list[Member]:
    """The quickstarts that exist. Called with the lock held."""
    found = [Member(**json.loads(path.read_text())) for path in sorted(FOLDER.glob(f'*{_MEMBER_SUFFIX}'))]
    return [member for member in found if member.exists]


def forget() -> None:
    """Remove the shared folder; nobody uses it. Called with the lock held."""
    shutil.rmtree(FOLDER)


def _free_port(others: list[Member]) -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 200):
        if _is_free(port, others):
            return port
    raise Failure(f'No port between {FIRST_PORT} and {FIRST_PORT + 200} is free on 127.0.0.1')


def _is_free(port: int, others: list[Member]) -> bool:
    if port == 0 or port in [member.port for member in others]:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def _free_network(others: list[Member]) -> str:
    taken = [*_networks_of_host(), *_networks_of_libvirt()]
    taken += [ipaddress.IPv4Network(member.network_cidr) for member in others if member.network_cidr]
    for cidr in NETWORKS:
        if not any(ipaddress.IPv4Network(cidr).overlaps(network) for network in taken):
            return cidr
    raise Failure('No address range is free for a network: this machine has routes to all that would be used')


def _networks_of_host() -> list[ipaddress.IPv4Network]:
    """What this machine has routes to, the default route left out."""
    routes = json.loads(answer(['ip', '-4', '-json', 'route', 'show', 'table', 'all']) or '[]')
    networks = [route['dst'] for route in routes if re.match(r'[\d.]+(/\d+)?$', route['dst'])]
    return [ipaddress.IPv4Network(network, strict=False) for network in networks if not network.startswith('0.')]


def _networks_of_libvirt() -> list[ipaddress.IPv4Network]:
    """Those that are defined, for they may be started at any time."""
    networks = []
    for name in (answer(['virsh', '-q', '-c', 'qemu:///system', 'net-list', '--all', '--name']) or '').split():
        text = answer(['virsh', '-q', '-c', 'qemu:///system', 'net-dumpxml', name]) or ''
        for address, mask, prefix in re.findall(
            r"<ip (?:family='ipv4' )?address='([\d.]+)' (?:netmask='([\d.]+)'|prefix='(\d+)')", text
        ):
            networks.append(ipaddress.IPv4Network(f'{address}/{mask or prefix}', strict=False))
    return networks
