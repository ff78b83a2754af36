"""Snapshots into a folder store: QEMU writes the file, the operation's attempt fences who may make it the image."""

import os
from pathlib import Path

from cloudplane.concurrency import BlockingPool
from cloudplane.images import file_lock, transfer
from cloudplane.images.errors import ImageAttemptStale, ImageBusy, ImageInvalid
from cloudplane.images.folder_files import StoredImage, remove
from cloudplane.images.folder_records import FolderRecords, new_digester
from cloudplane.images.inspector import Inspector
from cloudplane.images.record_checks import is_safe_id
from cloudplane.images.store import Progress
from cloudplane.objects.image import ACTIVE, SAVING, Image


class FolderSnapshots:
    """`ImageStore.part_path` and `commit_part` of a folder store."""

    def __init__(self, records: FolderRecords, pool: BlockingPool, inspector: Inspector) -> None:
        self._records, self._files = records, records.files
        self._pool, self._inspector = pool, inspector

    def part_path(self, image_id: str, operation_id: str, attempt: int, *, fresh: bool) -> Path:
        """See ImageStore."""
        with self._records.locked_stored(image_id) as stored:
            _check_attempt(stored, operation_id, attempt)
            if stored.image.status == ACTIVE:
                raise ImageBusy(f'Image {image_id} is active: its data is never written again.')
            part = self._files.attempt_part(image_id, operation_id, attempt)
            if (stored.attempt, stored.image.status) != (attempt, SAVING):
                self._records.write(StoredImage(attempt=attempt, image=stored.image.evolve(status=SAVING)))
            remove(each for each in self._files.parts(image_id) if fresh or each != part)
            return part

    def commit_part(self, image_id: str, operation_id: str, attempt: int, progress: Progress) -> Image:
        """See ImageStore."""
        stored = self._records.stored(image_id)
        _check_attempt(stored, operation_id, attempt)
        if stored.image.status == ACTIVE:
            return stored.image
        part = self._files.attempt_part(image_id, operation_id, attempt)
        try:
            part_fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ImageInvalid(f'Image {image_id} is refused: nothing was written at {part}.') from error
        try:
            return self._commit(stored.image, attempt, part, part_fd, progress=progress)
        except BaseException as error:
            if file_lock.is_file_at(part_fd, part):
                remove([part])
            elif isinstance(error, OSError | ImageInvalid):  # it looked for a file that was not there any more
                _check_attempt(self._records.stored(image_id), operation_id, attempt)
                raise _begun_anew(image_id, attempt) from error
            raise
        finally:
            os.close(part_fd)

    def _commit(self, image: Image, attempt: int, part: Path, part_fd: int, *, progress: Progress) -> Image:
        operation_id = image.operation_id or ''
        inspection = self._inspector.inspect(part, image.disk_format)
        digester = new_digester()
        transfer.digest(part, digester, self._pool, progress)
        with transfer.space_errors():
            self._pool.run(os.fsync, part_fd)
        with self._records.locked_stored(image.id) as stored:
            _check_attempt(stored, operation_id, attempt)
            if stored.image.status == ACTIVE:
                return stored.image
            if not file_lock.is_file_at(part_fd, part):
                raise _begun_anew(image.id, attempt)
            begun = StoredImage(attempt=attempt, image=stored.image)
            return self._records.publish(begun, part, part_fd, inspection=inspection, digester=digester)


def _begun_anew(image_id: str, attempt: int) -> ImageAttemptStale:
    return ImageAttemptStale(f'Attempt {attempt} at image {image_id} was begun anew meanwhile.')


def _check_attempt(stored: StoredImage, operation_id: str, attempt: int) -> None:
    image = stored.image
    if not is_safe_id(operation_id) or image.operation_id != operation_id:
        raise ImageBusy(f'Image {image.id} is not made by operation {operation_id}.')
    if attempt < stored.attempt:
        raise ImageAttemptStale(f'Attempt {stored.attempt} at image {image.id} has begun; {attempt} is too late.')
