"""Where a quickstart keeps its things: what it must remember is in .quickstart/, what guests need in /var/lib.

QEMU runs as a user of its own, and could not open a disk below a checkout that lies in somebody's home folder.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from checkout import CHECKOUT

STATE_ROOT = Path('/var/lib/cloudplane')


@dataclass
class Note:
    """What a quickstart remembers. It is written before the things that it speaks of are made, so that --stop always
    finds them.
    """

    id: str
    port: int = 0
    network_cidr: str = ''
    pid: int = 0  # of the all-in-one
    started: int = 0  # when that process began, in the kernel's ticks: process ids come again
    server_id: str = ''
    image_id: str = ''

    @property
    def host(self) -> str:
        """The name of the compute host: several quickstarts may share one libvirtd."""
        return f'quickstart-{self.id}'

    @property
    def network_name(self) -> str:
        """The network in libvirt."""
        return f'quickstart-{self.id}'

    @property
    def network_bridge(self) -> str:
        """Names of interfaces have 15 characters at most."""
        return f'cpq{self.id}'

    @property
    def state_path(self) -> Path:
        """Guests, images and the database."""
        return STATE_ROOT / f'quickstart-{self.id}'

    @property
    def url(self) -> str:
        """The compute API."""
        return f'http://127.0.0.1:{self.port}/v2.1'


class Place:
    """The folder .quickstart and the files in it."""

    folder = CHECKOUT / '.quickstart'
    config = folder / 'cloudplane.conf'
    log = folder / 'cloudplane.log'
    setup_log = folder / 'setup.log'
    image = folder / 'guest.qcow2'
    key = folder / 'id_ed25519'
    known_hosts = folder / 'known_hosts'
    ssh_config = folder / 'ssh_config'
    _note = folder / 'quickstart.json'

    def make(self) -> Note:
        """The note of this checkout; a new one if there is none."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        note = self.read()
        if note is None:
            note = Note(id=secrets.token_hex(4))
            self.write(note)
        return note

    def read(self) -> Note | None:
        """The note, or None if there is no quickstart here."""
        try:
            return Note(**json.loads(self._note.read_text()))
        except FileNotFoundError:
            return None

    def write(self, note: Note) -> None:
        """Remember."""
        part = self._note.with_suffix('.part')
        part.write_text(json.dumps(asdict(note), indent=2) + '\n')
        part.rename(self._note)
