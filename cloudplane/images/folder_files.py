"""The files of a folder store: what they are called, and how a record is written.

For the image ID:
- `ID.json`: its record, replaced as a whole
- `ID.data`: its data, complete and verified; never changed
- `ID.lock`: held (file_lock.py) for the moment of a change
- `ID.json.part`: the next record; only while the lock is held
- `ID.upload.part`: an upload; its writer holds the lock of this very file, so a free one belongs to a dead writer
- `ID.OPERATION.ATTEMPT.part`: a snapshot, written by QEMU
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cloudplane.images import transfer
from cloudplane.images.errors import ImageCorrupt
from cloudplane.images.record_checks import is_safe_id
from cloudplane.objects.image import Image

LOG = logging.getLogger(__name__)

# Data may be read by a group that the operator chooses, records and locks by the store alone.
DATA_MODE = 0o640


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """What `ID.json` holds."""

    version: str = Image.VERSION
    attempt: int = 0  # the highest that has begun, of the image's operation
    image: Image


_decoder = msgspec.json.Decoder(StoredImage)


class FolderFiles:
    """The files of one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def record(self, image_id: str) -> Path:
        """The file with the image's record."""
        return self.path / f'{image_id}.json'

    def data(self, image_id: str) -> Path:
        """The file with the image's data, once it is active."""
        return self.path / f'{image_id}.data'

    def lock(self, image_id: str) -> Path:
        """The file whose lock protects the image's files."""
        return self.path / f'{image_id}.lock'

    def upload_part(self, image_id: str) -> Path:
        """Where an upload is written."""
        return self.path / f'{image_id}.upload.part'

    def attempt_part(self, image_id: str, operation_id: str, attempt: int) -> Path:
        """Where an attempt of a snapshot is written."""
        return self.path / f'{image_id}.{operation_id}.{attempt}.part'

    def parts(self, image_id: str) -> list[Path]:
        """All unfinished files of an image."""
        return [each for each in self.path.glob(f'{image_id}.*') if each.suffix == '.part']

    def by_image(self) -> dict[str, list[Path]]:
        """All files of the folder by the id of their image."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        with os.scandir(self.path) as entries:
            for entry in entries:
                image_id, _, rest = entry.name.partition('.')
                if rest and is_safe_id(image_id):
                    found[image_id].append(Path(entry.path))
        return found

    def read(self, image_id: str) -> StoredImage | None:
        """The record as it stands, or None."""
        if not is_safe_id(image_id):
            return None
        try:
            return _decoder.decode(self.record(image_id).read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise ImageCorrupt(f'The record {self.record(image_id)} cannot be read: {error}.') from error

    def read_all(self) -> Iterator[StoredImage]:
        """Every record that can be read; the log names the others."""
        for image_id, found in self.by_image().items():
            if self.record(image_id) not in found:
                continue
            try:
                stored = self.read(image_id)
            except ImageCorrupt as error:
                LOG.error('Image %s is not listed: %s', image_id, error)
                continue
            if stored is not None:  # else it was deleted since the folder was listed
                yield stored

    def write(self, stored: StoredImage) -> None:
        """Replace the record, whole and on the disk. Blocks; the caller holds the image's lock."""
        path = self.record(stored.image.id)
        part = path.with_name(f'{path.name}.part')
        with transfer.space_errors(), open(part, 'wb') as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(stored), indent=1) + b'\n')
            opened.flush()
            os.fsync(opened.fileno())
        os.rename(part, path)
        transfer.sync_folder(self.path)


def remove(paths: Iterable[Path]) -> None:
    """Remove files; missing is fine."""
    for path in paths:
        path.unlink(missing_ok=True)


def attempt_of(part: Path) -> tuple[str, int] | None:
    """Operation and attempt in the name of a snapshot's part file; None for other parts."""
    fields = part.name.split('.')
    if len(fields) != 4 or not fields[2].isdigit():
        return None
    return fields[1], int(fields[2])
