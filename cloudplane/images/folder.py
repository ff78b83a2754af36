"""The image store in a folder, of one machine or shared by several: see store.py for what it promises.

Every change of an image is made under its lock, which is held for moments only: copying, inspecting and hashing happen
before, on a part file, and the lock then finds out whether the work still counts. Data gets its name first and the
record says `active` after it, so that whoever dies in between leaves an image that is unfinished, not one that lies.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError
from cloudplane.images.errors import ImageExists, ImageInvalid, ImageNotActive, ImageNotFound, ImageProtected
from cloudplane.images.folder_files import FolderFiles, StoredImage
from cloudplane.images.folder_records import FolderRecords
from cloudplane.images.folder_snapshot import FolderSnapshots
from cloudplane.images.folder_sweep import sweep
from cloudplane.images.folder_upload import FolderUploads
from cloudplane.images.inspector import Inspector
from cloudplane.images.record_checks import check_image, is_safe_id, matches
from cloudplane.images.store import ByteSource, ImageQuery, ImageReader, ImageStore, ImageUpdate, Progress, no_progress
from cloudplane.images.transfer import FileReader
from cloudplane.objects.image import ACTIVE, QUEUED, Image


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FolderStore(ImageStore):
    """Images in a folder, which is made if it does not exist. Opening it sweeps what dead processes left there."""

    def __init__(
        self,
        path: Path,
        *,
        pool: BlockingPool,
        inspector: Inspector,
        lock_timeout_s: float = 30.0,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        _make_folder(path)
        self._files = FolderFiles(path)
        self._pool = pool
        self._records = FolderRecords(self._files, pool, lock_timeout_s=lock_timeout_s, clock=clock)
        self._uploads = FolderUploads(self._records, pool, inspector)
        self._snapshots = FolderSnapshots(self._records, pool, inspector)
        sweep(self._files)

    def create(self, image: Image) -> Image:
        """See ImageStore."""
        if not is_safe_id(image.id):
            raise ImageInvalid(f'The image is refused: its id is {image.id!r}, not a UUID.')
        check_image(image)
        with self._records.locked(image.id):
            existing = self._files.read(image.id)
            if existing is None:
                return self._records.write(StoredImage(image=_queued(image))).image
        if existing.image.owner != image.owner:
            raise ImageExists(f'An image with the id {image.id} exists and has another owner.')
        return existing.image

    def get(self, image_id: str) -> Image:
        """See ImageStore."""
        return self._records.stored(image_id).image

    def find(self, query: ImageQuery) -> list[Image]:
        """See ImageStore. Reads every record: made for hundreds of images."""
        found = [stored.image for stored in self._files.read_all() if matches(stored.image, query)]
        return sorted(found, key=lambda image: (image.created_at, image.id), reverse=True)

    def update(self, image_id: str, changes: ImageUpdate) -> Image:
        """See ImageStore."""
        given = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
        with self._records.locked_stored(image_id) as stored:
            image = stored.image.evolve(**given)
            check_image(image)
            return self._records.write(msgspec.structs.replace(stored, image=image)).image

    def upload(self, image_id: str, source: ByteSource | Path, progress: Progress = no_progress) -> Image:
        """See ImageStore."""
        return self._uploads.upload(image_id, source, progress)

    def open(self, image_id: str) -> ImageReader:
        """See ImageStore."""
        try:
            return FileReader(self.local_path(image_id), self._pool)
        except FileNotFoundError as error:
            raise ImageNotFound(f'The data of image {image_id} could not be found.') from error

    def local_path(self, image_id: str) -> Path:
        """See ImageStore."""
        image = self.get(image_id)
        if image.status != ACTIVE:
            raise ImageNotActive(f'Image {image_id} is not active, but {image.status}.')
        return self._files.data(image_id)

    def delete(self, image_id: str, *, missing_ok: bool = False) -> None:
        """See ImageStore."""
        try:
            with self._records.locked_stored(image_id) as stored:
                if stored.image.protected:
                    raise ImageProtected(f'Image {image_id} is protected and cannot be deleted.')
                self._records.forget(image_id)
        except ImageNotFound:
            if not missing_ok:
                raise

    def part_path(self, image_id: str, operation_id: str, attempt: int, *, fresh: bool = True) -> Path:
        """See ImageStore."""
        return self._snapshots.part_path(image_id, operation_id, attempt, fresh=fresh)

    def commit_part(self, image_id: str, operation_id: str, attempt: int, progress: Progress = no_progress) -> Image:
        """See ImageStore."""
        return self._snapshots.commit_part(image_id, operation_id, attempt, progress)

    def discard(self, image_id: str, operation_id: str) -> bool:
        """See ImageStore."""
        try:
            with self._records.locked_stored(image_id) as stored:
                if stored.image.operation_id != operation_id or stored.image.status == ACTIVE:
                    return False
                self._records.forget(image_id)
                return True
        except ImageNotFound:
            return False


def _make_folder(path: Path) -> None:
    """QEMU, which is another user, writes snapshots here: it must pass through, and need not list."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o711)  # whatever the umask
    except OSError as error:
        raise ConfigurationError(f'The image store {path} cannot be made: {error.strerror}.') from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigurationError(f'The image store {path} cannot be written.')


def _queued(image: Image) -> Image:
    """The record of a new image: what its owner may say, and nothing of what the store finds out."""
    return image.evolve(
        status=QUEUED,
        size_bytes=None,
        virtual_size_bytes=None,
        checksum_sha512=None,
        checksum_md5=None,
        created_at='',
    )
