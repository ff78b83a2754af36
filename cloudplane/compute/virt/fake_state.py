"""What the fake hypervisor keeps on the disk: a file for each guest, and the log of what guests executed.

The log has one JSON line for each change, written at once, so that several hosts may share it. A guest executes from a
`start` or `resume` to the next `pause` or `stop` of the same `run_id`. A killed agent may have changed a guest without
logging it: the driver logs the last change of each guest again when it starts, so a line may come twice, with the same
`run_id`, `event` and `time`.
"""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cloudplane.objects.server import Address

NETWORK = 'default'


class FakeGuest(msgspec.Struct, frozen=True, kw_only=True):
    """All that lies on a fake host for one server."""

    server_id: str
    addresses: tuple[Address, ...] | None = None  # None: not made
    disk: str = ''  # the operation that made it; empty: not made
    disk_bytes: int = 0
    config_drive: bool = False
    # The domain. sequence 0: not defined.
    sequence: int = 0
    operation_id: str = ''
    attempt: int = 0
    name: str = ''
    power_state: int = 0
    run_id: str | None = None
    committed: bool = False
    last_event: 'FakeEvent | None' = None


class FakeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    host: str
    server_id: str
    run_id: str
    event: str  # start_paused | start | resume | pause | stop
    why: str
    time: float  # seconds since 1970
    monotonic: float  # of this machine: does not jump with its clock
    pid: int


def new_event(host: str, server_id: str, run_id: str, event: str, why: str) -> FakeEvent:
    """An event that happens now."""
    return FakeEvent(
        host=host,
        server_id=server_id,
        run_id=run_id,
        event=event,
        why=why,
        time=time.time(),
        monotonic=time.monotonic(),
        pid=os.getpid(),
    )


def address_of(server_id: str) -> Address:
    """An address that follows from the server's id."""
    digest = hashlib.sha256(server_id.encode()).digest()
    mac = ':'.join(f'{byte:02x}' for byte in (0xFA, 0x16, 0x3E, *digest[3:6]))
    return Address(network=NETWORK, address=f'10.{digest[0]}.{digest[1]}.{digest[2] or 1}', mac=mac)


class GuestFiles:
    """The guests' files of one host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder, and remove what was never renamed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for part in self._folder.glob('*.part'):
            part.unlink(missing_ok=True)

    def read(self, server_id: str) -> FakeGuest | None:
        """One guest, or None."""
        try:
            content = self._path(server_id).read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=FakeGuest)

    def read_all(self) -> Iterator[FakeGuest]:
        """All guests."""
        for path in sorted(self._folder.glob('*.json')):
            guest = self.read(path.stem)
            if guest is not None:
                yield guest

    def write(self, guest: FakeGuest) -> None:
        """Replace the file of a guest."""
        path = self._path(guest.server_id)
        part = path.with_suffix(f'.{os.getpid()}.{threading.get_ident()}.part')  # a test may write beside the agent
        part.write_bytes(msgspec.json.encode(guest))
        part.rename(path)

    def remove(self, server_id: str) -> None:
        """Remove all that lies there of a server; missing is fine."""
        with contextlib.suppress(FileNotFoundError):
            self._path(server_id).unlink()

    def _path(self, server_id: str) -> Path:
        return self._folder / f'{server_id}.json'


class EventLog:
    """The log of what guests execute."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, event: FakeEvent) -> None:
        """Add a line, whole, whoever else writes."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        log_fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(log_fd, msgspec.json.encode(event) + b'\n')
        finally:
            os.close(log_fd)


def read_events(path: Path) -> list[FakeEvent]:
    """The log, in the order in which it was written."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=FakeEvent) for line in lines]
