"""Removes what dead processes left in a folder store. Done when a store is opened; several processes may at once.

Nothing of a living writer is touched: an image whose lock is held is left alone, and so is an upload whose writer
holds its part file. The part of a snapshot's present attempt stays, because QEMU may still be writing it on behalf of
an agent that comes back: it goes when a later attempt begins, when the image is discarded or when it becomes active.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from cloudplane.images import file_lock
from cloudplane.images.errors import ImageCorrupt
from cloudplane.images.folder_files import FolderFiles, StoredImage, attempt_of, remove
from cloudplane.objects.image import ACTIVE, QUEUED, SAVING

LOG = logging.getLogger(__name__)


def sweep(files: FolderFiles) -> None:
    """Bring every image of the folder into a state from which its owner can go on. Blocks for a moment."""
    for image_id, found in files.by_image().items():
        try:
            if not _is_settled(files, image_id, found):
                _tidy_alone(files, image_id)
        except ImageCorrupt as error:
            LOG.error('Image %s is left as it is: %s', image_id, error)


def _tidy_alone(files: FolderFiles, image_id: str) -> None:
    lock_fd = file_lock.try_lock(files.lock(image_id))
    if lock_fd is None:
        return  # somebody lives, and is at work on it
    try:
        _tidy(files, image_id)
    finally:
        os.close(lock_fd)


def _is_settled(files: FolderFiles, image_id: str, found: list[Path]) -> bool:
    stored = files.read(image_id)
    if stored is None or any(each.suffix == '.part' for each in found):
        return False
    return stored.image.status == ACTIVE


def _tidy(files: FolderFiles, image_id: str) -> None:
    stored = files.read(image_id)
    parts = files.parts(image_id)
    if stored is None:
        _remove([*parts, files.data(image_id)])
        remove([files.lock(image_id)])
    elif stored.image.status == ACTIVE:
        _remove(parts)
    elif stored.image.operation_id is not None:
        # Data of an unfinished image: its writer died just before it said so. It is written once more.
        _remove([files.data(image_id)])
        _remove(each for each in parts if attempt_of(each) != (stored.image.operation_id, stored.attempt))
    elif not _is_being_uploaded(files.upload_part(image_id)):
        _requeue(files, stored, parts)


def _requeue(files: FolderFiles, stored: StoredImage, parts: list[Path]) -> None:
    """An upload died: the image can be uploaded again."""
    if stored.image.status == SAVING:
        files.write(StoredImage(attempt=stored.attempt, image=stored.image.evolve(status=QUEUED)))
    _remove([*parts, files.data(stored.image.id)])


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            LOG.info('Removing %s, which a process left that died', path)
            remove([path])


def _is_being_uploaded(part: Path) -> bool:
    try:
        part_fd = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not file_lock.try_flock(part_fd)
    finally:
        os.close(part_fd)
