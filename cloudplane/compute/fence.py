"""What the agent has seen of each server, on its disk: the fence against orders that come too late.

A check in the database cannot stop a hypervisor, so the agent itself refuses what is lower than the highest
(sequence, attempt) it has seen. One small JSON file per server, replaced atomically and synced. The mark of a server
that has gone stays for some days as a tombstone: an older order may still be on its way.

What may run is the conductor's to say (begin); a lost or damaged mark weakens the fence, never the truth.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from cloudplane.concurrency import BlockingPool
from cloudplane.objects.operation import WorkOrder

LOG = logging.getLogger(__name__)

MAX_TOMBSTONES = 10000
_DAY_S = 86400
_SAFE_ID = re.compile(r'[0-9A-Za-z][0-9A-Za-z_-]{0,127}')
_STRIPES = 16

Key = tuple[int, int]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The highest order seen for one server."""

    server_id: str
    sequence: int
    attempt: int
    operation_id: str
    kind: str
    notes: dict[str, str] = {}  # what a handler must know when it runs again
    gone: bool = False  # a tombstone: nothing of the server is on this host
    written_at: float = 0.0

    @property
    def key(self) -> Key:
        """What orders are compared by."""
        return self.sequence, self.attempt


def key_of(order: WorkOrder) -> Key:
    """What orders are compared by."""
    return order.sequence, order.attempt


def is_safe_id(server_id: str) -> bool:
    """Whether an id may be part of a file name."""
    return _SAFE_ID.fullmatch(server_id) is not None


class Fence:
    """All marks of one host: in memory for reading, on the disk before anything is done because of them."""

    def __init__(
        self, folder: Path, *, pool: BlockingPool, tombstone_days: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder, self._pool, self._clock = folder, pool, clock
        self._tombstone_s = tombstone_days * _DAY_S
        self._marks: dict[str, Mark] = {}
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    def load(self) -> None:
        """Read what is on the disk. A file that cannot be read is logged, and counts as not there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob('*.json'):
            mark = _read(path)
            if mark is not None:
                self._marks[mark.server_id] = mark
        for part in self._folder.glob('*.part'):
            part.unlink(missing_ok=True)
        self.prune()

    def mark(self, server_id: str) -> Mark | None:
        """The mark of a server."""
        return self._marks.get(server_id)

    def marks(self) -> list[Mark]:
        """All marks."""
        return list(self._marks.values())

    def refuses(self, order: WorkOrder) -> bool:
        """Whether something higher was seen."""
        mark = self._marks.get(order.server_id)
        return mark is not None and key_of(order) < mark.key

    def is_newer_than(self, sequence: int, server_id: str) -> bool:
        """Whether an order of a higher sequence was seen for the server: it owns the guest."""
        mark = self._marks.get(server_id)
        return mark is not None and not mark.gone and mark.sequence > sequence

    def admit(self, order: WorkOrder, carried: dict[str, str] | None = None) -> Mark:
        """Raise the mark to this order, on the disk when this returns.

        Notes stay as long as the operation does; `carried` are added for a new one. Lower than the mark: nothing.
        """
        with self._lock(order.server_id):
            seen = self._marks.get(order.server_id)
            if seen is not None and seen.key >= key_of(order):
                return seen
            same = seen is not None and seen.operation_id == order.operation_id
            notes = seen.notes if seen is not None and same else (carried or {})
            mark = Mark(
                server_id=order.server_id,
                sequence=order.sequence,
                attempt=order.attempt,
                operation_id=order.operation_id,
                kind=order.kind,
                notes=notes,
                written_at=self._clock(),
            )
            return self._write(mark)

    def raise_attempt(self, order: WorkOrder) -> None:
        """The order that was admitted has come again with a higher attempt."""
        mark = self._marks.get(order.server_id)
        if mark is not None and mark.operation_id == order.operation_id:
            self.admit(order)

    def note(self, server_id: str, **notes: str) -> Mark:
        """Add notes to the mark of a server, on the disk when this returns."""
        with self._lock(server_id):
            mark = self._marks[server_id]
            return self._write(msgspec.structs.replace(mark, notes={**mark.notes, **notes}))

    def settle(self, server_id: str, *notes: str) -> None:
        """Remove notes that have done their service."""
        with self._lock(server_id):
            mark = self._marks.get(server_id)
            if mark is not None and any(note in mark.notes for note in notes):
                left = {name: text for name, text in mark.notes.items() if name not in notes}
                self._write(msgspec.structs.replace(mark, notes=left))

    def forget(self, server_id: str, sequence: int) -> None:
        """Nothing of the server is left here: keep a tombstone, unless something newer was seen."""
        with self._lock(server_id):
            mark = self._marks.get(server_id)
            if mark is None or mark.gone or mark.sequence > sequence:
                return
            self._write(msgspec.structs.replace(mark, gone=True, written_at=self._clock()))

    def prune(self) -> None:
        """Remove tombstones that are old, or too many."""
        tombs = sorted((mark for mark in self.marks() if mark.gone), key=lambda mark: mark.written_at)
        oldest_s = self._clock() - self._tombstone_s
        for place, mark in enumerate(tombs):
            if mark.written_at < oldest_s or place < len(tombs) - MAX_TOMBSTONES:
                self._remove(mark)

    def _remove(self, tomb: Mark) -> None:
        with self._lock(tomb.server_id):
            if self._marks.get(tomb.server_id) is tomb:
                del self._marks[tomb.server_id]
                self._path(tomb.server_id).unlink(missing_ok=True)

    def _write(self, mark: Mark) -> Mark:
        self._pool.run(_replace, self._path(mark.server_id), msgspec.json.encode(mark))
        self._marks[mark.server_id] = mark
        return mark

    def _path(self, server_id: str) -> Path:
        return self._folder / f'{server_id}.json'

    def _lock(self, server_id: str) -> threading.Lock:
        return self._locks[hash(server_id) % _STRIPES]


def _read(path: Path) -> Mark | None:
    try:
        mark = msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        LOG.error(
            'The fencing mark %s cannot be read (%s). Until the next order for this server arrives, late orders for it '
            'are refused by the conductor alone.',
            path,
            error,
        )
        return None
    if mark.server_id != path.stem:
        LOG.error('The fencing mark %s is of another server, %s. It is ignored.', path, mark.server_id)
        return None
    return mark


def _replace(path: Path, content: bytes) -> None:
    """Replace a file by another one, so that after a crash at any moment one of them is there, whole. Blocks."""
    part = path.with_suffix('.part')
    part_fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(part_fd, 'wb', closefd=False) as opened:
            opened.write(content)  # all of it, or an error: a full disk makes a bare write short
        os.fsync(part_fd)
    finally:
        os.close(part_fd)
    os.rename(part, path)
    folder_fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
