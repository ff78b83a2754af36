"""Moving the bytes of images: piece by piece, so that a transfer shows its progress, can be ended between two pieces,
shares the threads with others, and needs the same memory for a gigabyte as for a megabyte.

The reading side may be a socket, so it is read in the caller's thread; hashing and disk go to the native threads.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from cloudplane.concurrency import BlockingPool
from cloudplane.images.errors import ImageSpaceExhausted
from cloudplane.images.store import ByteSource, Progress

PIECE_BYTES = 4 << 20
# Written data goes to the disk this often: the last fsync of a large file would else last longer than a step may.
SYNC_BYTES = 256 << 20
_BLOCK = bytes(256 << 10)  # zeros of this size are not written: they become holes
_FICLONE = 0x40049409
_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ETXTBSY)


class Digester:
    """Counts and hashes bytes that come in pieces."""

    def __init__(self, *algorithms: str) -> None:
        self.size_bytes = 0
        self._hashes = {name: hashlib.new(name, usedforsecurity=name != 'md5') for name in algorithms}

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        for each in self._hashes.values():
            each.update(piece)
        self.size_bytes += len(piece)

    def hex(self, algorithm: str) -> str:
        """The digest so far."""
        return self._hashes[algorithm].hexdigest()


class FileReader:
    """A file that is read by native threads (see store.ImageReader)."""

    def __init__(self, path: Path, pool: BlockingPool) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._pool, self._offset = pool, 0
        self.size_bytes = os.fstat(self._fd).st_size

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; b'' at the end."""
        piece = self._pool.run(os.pread, self._fd, size, self._offset)
        self._offset += len(piece)
        return piece

    def fileno(self) -> int:
        """The open file."""
        return self._fd

    def close(self) -> None:
        """Close the file; again is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def copy(
    source: ByteSource,
    target_fd: int,
    digester: Digester,
    pool: BlockingPool,
    *,
    progress: Progress,
    total_bytes: int | None = None,
) -> None:
    """Write all of `source` to an empty file, hash it on the way, and see that it is on the disk."""
    with space_errors():
        while piece := source.read(PIECE_BYTES):
            pool.run(_absorb, target_fd, piece, digester)
            progress(digester.size_bytes, total_bytes)
        pool.run(_finish, target_fd, digester.size_bytes)


def digest(path: Path, digester: Digester, pool: BlockingPool, progress: Progress) -> None:
    """Hash a file."""
    with FileReader(path, pool) as source:
        while pool.run(_absorb_next, source.fileno(), digester):
            progress(digester.size_bytes, source.size_bytes)


def clone(source: Path, target_fd: int) -> bool:
    """Make the empty target share the blocks of `source`; False where the file system cannot."""
    with open(source, 'rb') as opened:
        try:
            fcntl.ioctl(target_fd, _FICLONE, opened.fileno())
        except OSError as error:
            if error.errno in _CANNOT_CLONE:
                return False
            raise
    return True


@contextlib.contextmanager
def space_errors() -> Iterator[None]:
    """Translate "no space" and "over quota" of the file system."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ImageSpaceExhausted(f'There is no space left for the image: {error.strerror}.') from error
        raise


def sync_folder(folder: Path) -> None:
    """See that names made or changed in `folder` are on the disk. Blocks."""
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)


def _absorb(target_fd: int, piece: bytes, digester: Digester) -> None:
    start = digester.size_bytes
    digester.update(piece)
    for offset in range(0, len(piece), len(_BLOCK)):
        block = piece[offset : offset + len(_BLOCK)]
        if block != _BLOCK[: len(block)]:
            _write_all(target_fd, block, start + offset)
    if start // SYNC_BYTES != digester.size_bytes // SYNC_BYTES:
        os.fdatasync(target_fd)


def _write_all(fd: int, block: bytes, offset: int) -> None:
    while block:
        written = os.pwrite(fd, block, offset)
        block, offset = block[written:], offset + written


def _finish(fd: int, size_bytes: int) -> None:
    os.ftruncate(fd, size_bytes)  # a hole at the end was not written
    os.fsync(fd)


def _absorb_next(fd: int, digester: Digester) -> bool:
    piece = os.pread(fd, PIECE_BYTES, digester.size_bytes)
    digester.update(piece)
    return bool(piece)
