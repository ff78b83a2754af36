"""The images that a host has at hand: each is fetched from the store once, verified, and shared by all its guests.

In the cache's folder, for the image ID:
- `ID.raw` or `ID.qcow2`: the base image, complete and verified; never changed, for the overlays of guests stand on it
- `ID.used`: its time says when a build last asked for it
- `ID.lock`: held (file_lock.py) by whoever fetches
- `ID.part`: what is being fetched; if nobody holds the lock, a dead process left it

What has become too old is removed elsewhere. The disks that stand on a base are made by overlay.py.
"""

import os
import time
from pathlib import Path

from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError
from cloudplane.images import file_lock, transfer
from cloudplane.images.errors import ImageCorrupt, ImageNotActive, ImageNotFound
from cloudplane.images.record_checks import is_safe_id
from cloudplane.images.store import ImageStore, Progress, no_progress
from cloudplane.images.transfer import Digester
from cloudplane.objects.image import ACTIVE, DISK_FORMATS, Image

# Every user may read a base, because QEMU is one that we do not know; nobody may write it.
BASE_MODE = 0o444


class ImageCache:
    """Base images of one host. Any number of threads and processes may use the folder at once."""

    def __init__(self, store: ImageStore, path: Path, *, pool: BlockingPool) -> None:
        self._store, self._path, self._pool = store, path.absolute(), pool
        _make_folder(self._path)
        self._sweep()

    def base(self, image_id: str, progress: Progress = no_progress) -> Path:
        """The verified base image, fetched if the host does not have it. The suffix of its name is its format.

        Asked by several at once, one fetches and the others wait. `progress` is called for those too, so that a waiter
        sees that something moves, and can give up by raising. Raises ImageNotFound, ImageNotActive, ImageCorrupt,
        ImageSpaceExhausted, and what `progress` raises.
        """
        if not is_safe_id(image_id):
            raise ImageNotFound(f'Image {image_id!r} could not be found.')
        found = self._cached(image_id)
        while found is None:
            found = self._fetch_or_wait(image_id, progress)
        (self._path / f'{image_id}.used').touch()
        return found

    def _cached(self, image_id: str) -> Path | None:
        """A file that has its name is complete: nothing is hashed again."""
        for disk_format in DISK_FORMATS:
            path = self._path / f'{image_id}.{disk_format}'
            if path.exists():
                return path
        return None

    def _fetch_or_wait(self, image_id: str, progress: Progress) -> Path | None:
        """Fetch the image; or wait for a moment if somebody else does that, and say how it stands."""
        lock_fd = file_lock.try_lock(self._path / f'{image_id}.lock')
        if lock_fd is None:
            progress(_size_bytes(self._part(image_id)), None)
            time.sleep(file_lock.POLL_S)
            return self._cached(image_id)
        try:
            return self._cached(image_id) or self._fetch(image_id, progress)
        finally:
            os.close(lock_fd)

    def _fetch(self, image_id: str, progress: Progress) -> Path:
        """Copy, verify, and only then give it its name; the caller holds the lock."""
        image = self._store.get(image_id)
        if image.status != ACTIVE:
            raise ImageNotActive(f'Image {image_id} is not active, but {image.status}.')
        part, path = self._part(image_id), self._path / f'{image_id}.{image.disk_format}'
        part.unlink(missing_ok=True)
        part_fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _verify(image, self._copy(image, part, part_fd, progress))
            os.fchmod(part_fd, BASE_MODE)
            os.rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(part_fd)
        # An overlay that survives a crash of the machine must find its base.
        self._pool.run(transfer.sync_folder, self._path)
        return path

    def _copy(self, image: Image, part: Path, part_fd: int, progress: Progress) -> Digester:
        digester = Digester('sha512')
        local = self._store.local_path(image.id)
        if local is not None and self._pool.run(transfer.clone, local, part_fd):
            transfer.digest(part, digester, self._pool, progress)
            self._pool.run(os.fsync, part_fd)
            return digester
        with self._store.open(image.id) as source:
            transfer.copy(source, part_fd, digester, self._pool, progress=progress, total_bytes=image.size_bytes)
        return digester

    def _part(self, image_id: str) -> Path:
        return self._path / f'{image_id}.part'

    def _sweep(self) -> None:
        """Remove what was being fetched by processes that died."""
        for part in self._path.glob('*.part'):
            lock_fd = file_lock.try_lock(part.with_suffix('.lock'))
            if lock_fd is not None:
                part.unlink(missing_ok=True)
                os.close(lock_fd)


def _verify(image: Image, digester: Digester) -> None:
    if digester.hex('sha512') != image.checksum_sha512:
        raise ImageCorrupt(
            f'The data of image {image.id} is not what was verified when it became active: sha512 of '
            f'{digester.size_bytes} bytes is {digester.hex("sha512")}, and it should be {image.checksum_sha512}.'
        )


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _make_folder(path: Path) -> None:
    """QEMU, which is another user, reads here: it must pass through, and need not list."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)  # whatever the umask
    except OSError as error:
        raise ConfigurationError(f'The image cache {path} cannot be made: {error.strerror}.') from error
