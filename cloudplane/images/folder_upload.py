"""Uploads into a folder store: one writer per image, who proves that it lives by the lock on its part file."""

import os
from pathlib import Path

from cloudplane.concurrency import BlockingPool
from cloudplane.images import file_lock, transfer
from cloudplane.images.errors import ImageBusy, ImageInvalid, ImageNotFound
from cloudplane.images.folder_files import DATA_MODE, StoredImage, remove
from cloudplane.images.folder_records import FolderRecords, new_digester
from cloudplane.images.inspector import Inspector
from cloudplane.images.store import ByteSource, Progress
from cloudplane.images.transfer import Digester
from cloudplane.objects.image import ACTIVE, QUEUED, SAVING, Image


class FolderUploads:
    """`ImageStore.upload` of a folder store."""

    def __init__(self, records: FolderRecords, pool: BlockingPool, inspector: Inspector) -> None:
        self._records, self._files = records, records.files
        self._pool, self._inspector = pool, inspector

    def upload(self, image_id: str, source: ByteSource | Path, progress: Progress) -> Image:
        """See ImageStore."""
        part = self._files.upload_part(image_id)
        part_fd = self._begin(image_id, part)
        try:
            image = self._receive(image_id, source, part, part_fd, progress=progress)
        except BaseException as error:
            gone = not file_lock.is_file_at(part_fd, part)
            self._abandon(image_id, part, part_fd)
            if gone and isinstance(error, OSError | ImageInvalid):  # it looked for a file that was not there any more
                raise _deleted(image_id) from error
            raise
        finally:
            os.close(part_fd)
        return image

    def _begin(self, image_id: str, part: Path) -> int:
        """Take the right to upload, which is the lock on a new part file; returns the open file."""
        with self._records.locked_stored(image_id) as stored:
            _check_uploadable(stored.image)
            part_fd = _new_part(image_id, part)
            try:
                self._records.write(StoredImage(image=stored.image.evolve(status=SAVING)))
            except BaseException:
                remove([part])
                os.close(part_fd)
                raise
            return part_fd

    def _receive(
        self, image_id: str, source: ByteSource | Path, part: Path, part_fd: int, *, progress: Progress
    ) -> Image:
        digester = new_digester()
        if isinstance(source, Path):
            self._take_file(source, part, part_fd, digester, progress=progress)
        else:
            transfer.copy(source, part_fd, digester, self._pool, progress=progress)
        inspection = self._inspector.inspect(part, self._records.stored(image_id).image.disk_format)
        with self._records.locked_stored(image_id) as stored:
            if not file_lock.is_file_at(part_fd, part):
                raise _deleted(image_id)
            return self._records.publish(stored, part, part_fd, inspection=inspection, digester=digester)

    def _take_file(self, source: Path, part: Path, part_fd: int, digester: Digester, *, progress: Progress) -> None:
        if self._pool.run(transfer.clone, source, part_fd):
            transfer.digest(part, digester, self._pool, progress)
            self._pool.run(os.fsync, part_fd)
            return
        with transfer.FileReader(source, self._pool) as reader:
            transfer.copy(reader, part_fd, digester, self._pool, progress=progress, total_bytes=reader.size_bytes)

    def _abandon(self, image_id: str, part: Path, part_fd: int) -> None:
        """Leave the image as it was before the upload, unless it has gone or is another's by now."""
        try:
            with self._records.locked_stored(image_id) as stored:
                if not file_lock.is_file_at(part_fd, part):
                    return
                if stored.image.status == SAVING:
                    self._records.write(StoredImage(image=stored.image.evolve(status=QUEUED)))
                remove([part])
        except ImageNotFound:
            return


def _deleted(image_id: str) -> ImageNotFound:
    return ImageNotFound(f'Image {image_id} was deleted while its data was uploaded.')


def _check_uploadable(image: Image) -> None:
    if image.operation_id is not None:
        raise ImageBusy(f'Image {image.id} is the snapshot of operation {image.operation_id}: it takes no upload.')
    if image.status == ACTIVE:
        raise ImageBusy(f'Image {image.id} is active: its data is never written again.')


def _new_part(image_id: str, part: Path) -> int:
    """A new, locked part file, in place of one whose writer is dead; the caller holds the image's lock."""
    part_fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, DATA_MODE)
    if not file_lock.try_flock(part_fd):
        os.close(part_fd)
        raise ImageBusy(f'Data is being uploaded to image {image_id} already.')
    os.ftruncate(part_fd, 0)
    return part_fd
