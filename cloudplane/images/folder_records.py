"""The records of a folder store, changed under their locks, and the one moment at which data becomes an image's."""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from cloudplane.concurrency import BlockingPool
from cloudplane.images import file_lock
from cloudplane.images.errors import ImageNotFound
from cloudplane.images.folder_files import DATA_MODE, FolderFiles, StoredImage, remove
from cloudplane.images.inspector import Inspection
from cloudplane.images.transfer import Digester
from cloudplane.objects.image import ACTIVE, Image


class FolderRecords:
    """Reads without a lock, for a record is replaced as a whole; writes with the lock of the image."""

    def __init__(
        self, files: FolderFiles, pool: BlockingPool, *, lock_timeout_s: float, clock: Callable[[], datetime]
    ) -> None:
        self.files = files
        self._pool, self._lock_timeout_s, self._clock = pool, lock_timeout_s, clock

    def stored(self, image_id: str) -> StoredImage:
        """The record as it stands; raises ImageNotFound."""
        stored = self.files.read(image_id)
        if stored is None:
            raise ImageNotFound(f'Image {image_id} could not be found.')
        return stored

    @contextlib.contextmanager
    def locked(self, image_id: str) -> Iterator[None]:
        """Hold the lock of an image that may not exist yet."""
        with file_lock.hold(self.files.lock(image_id), self._lock_timeout_s):
            yield

    @contextlib.contextmanager
    def locked_stored(self, image_id: str) -> Iterator[StoredImage]:
        """Hold the lock of an image that exists. (A look before, so that a missing one gets no lock file.)"""
        self.stored(image_id)
        with self.locked(image_id):
            yield self.stored(image_id)

    def write(self, stored: StoredImage) -> StoredImage:
        """Replace the record, and give it its times; the caller holds the lock."""
        now = self._clock().strftime('%Y-%m-%dT%H:%M:%SZ')
        image = stored.image.evolve(created_at=stored.image.created_at or now, updated_at=now)
        stored = msgspec.structs.replace(stored, image=image)
        self._pool.run(self.files.write, stored)
        return stored

    def publish(
        self, stored: StoredImage, part: Path, part_fd: int, *, inspection: Inspection, digester: Digester
    ) -> Image:
        """Make a verified part the image's data, and the image active; the caller holds the lock."""
        image = stored.image
        _own(part_fd)
        image = image.evolve(
            status=ACTIVE,
            size_bytes=digester.size_bytes,
            virtual_size_bytes=inspection.virtual_size_bytes,
            checksum_sha512=digester.hex('sha512'),
            checksum_md5=digester.hex('md5'),
        )
        data = self.files.data(image.id)
        os.rename(part, data)
        try:
            written = self.write(msgspec.structs.replace(stored, image=image))
        except BaseException:
            os.rename(data, part)
            raise
        remove(self.files.parts(image.id))
        return written.image

    def forget(self, image_id: str) -> None:
        """Remove all of an image; the caller holds the lock.

        The record goes first: what is left if this is cut short belongs to no image, and is swept.
        """
        files = self.files
        remove([files.record(image_id), files.data(image_id), *files.parts(image_id), files.lock(image_id)])


def new_digester() -> Digester:
    """The digests that a record holds."""
    return Digester('sha512', 'md5')


def _own(data_fd: int) -> None:
    """See that nobody else can write the file: a snapshot may still belong to QEMU's user.

    A store that does not run as root cannot take such a file over; there QEMU runs as the same user, or the operator
    has seen to it.
    """
    if os.geteuid() == 0:
        os.fchown(data_fd, 0, os.getegid())
    if os.fstat(data_fd).st_uid == os.geteuid():
        os.fchmod(data_fd, DATA_MODE)
