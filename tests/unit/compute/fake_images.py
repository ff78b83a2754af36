"""Image store and image cache for the agent's tests: records in memory, part files on the disk."""

import time
from pathlib import Path
from typing import Any

from cloudplane.exceptions import ServiceUnavailable
from cloudplane.images.errors import ImageAttemptStale, ImageBusy, ImageNotFound
from cloudplane.images.store import ImageReader, ImageStore, Progress, no_progress
from cloudplane.objects.image import ACTIVE, SAVING, Image


class FakeImages(ImageStore):
    """The snapshot half of a store, with its fencing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[str, Image] = {}
        self._attempts: dict[str, int] = {}
        self.unavailable = False
        self.commit_takes_s = 0.0
        self.copied: dict[str, bytes] = {}

    def _check(self) -> None:
        if self.unavailable:
            raise ServiceUnavailable('the store is away')

    def create(self, image: Image) -> Image:
        """See ImageStore."""
        return self.records.setdefault(image.id, image)

    def get(self, image_id: str) -> Image:
        """See ImageStore."""
        self._check()
        if image_id not in self.records:
            raise ImageNotFound(f'Image {image_id} could not be found.')
        return self.records[image_id]

    def find(self, query: Any) -> list[Image]:
        """See ImageStore."""
        return list(self.records.values())

    def update(self, image_id: str, changes: Any) -> Image:
        """Not for agents."""
        raise NotImplementedError

    def upload(self, image_id: str, source: Any, progress: Progress = no_progress) -> Image:
        """Not for agents."""
        raise NotImplementedError

    def open(self, image_id: str) -> ImageReader:
        """Not for agents with this driver."""
        raise NotImplementedError

    def local_path(self, image_id: str) -> Path | None:
        """Not for agents with this driver."""
        raise NotImplementedError

    def delete(self, image_id: str, *, missing_ok: bool = False) -> None:
        """See ImageStore."""
        del self.records[image_id]

    def part_path(self, image_id: str, operation_id: str, attempt: int, *, fresh: bool = True) -> Path:
        """See ImageStore."""
        image = self._of(image_id, operation_id, attempt)
        if image.status == ACTIVE:
            raise ImageBusy(f'Image {image_id} is active.')
        self._attempts[image_id] = attempt
        self.records[image_id] = image.evolve(status=SAVING)
        self._path.mkdir(parents=True, exist_ok=True)
        for left in self._path.glob(f'{image_id}.*.part'):
            left.unlink()
        return self._path / f'{image_id}.{operation_id}.{attempt}.part'

    def commit_part(self, image_id: str, operation_id: str, attempt: int, progress: Progress = no_progress) -> Image:
        """See ImageStore."""
        image = self._of(image_id, operation_id, attempt)
        if image.status == ACTIVE:
            return image
        until, done = time.monotonic() + self.commit_takes_s, 0
        while time.monotonic() < until:
            time.sleep(0.02)
            done += 1
            progress(done, None)
        part = self._path / f'{image_id}.{operation_id}.{attempt}.part'
        self.copied[image_id] = part.read_bytes()
        part.unlink()
        self.records[image_id] = image.evolve(status=ACTIVE)
        return self.records[image_id]

    def _of(self, image_id: str, operation_id: str, attempt: int) -> Image:
        image = self.get(image_id)
        if image.operation_id != operation_id:
            raise ImageBusy(f"Image {image_id} is another operation's.")
        if attempt < self._attempts.get(image_id, 0):
            raise ImageAttemptStale(f'Attempt {attempt} is too late.')
        return image

    def discard(self, image_id: str, operation_id: str) -> bool:
        """See ImageStore."""
        self._check()
        image = self.records.get(image_id)
        if image is None or image.operation_id != operation_id or image.status == ACTIVE:
            return False
        del self.records[image_id]
        return True

    def parts(self) -> list[Path]:
        """Part files that lie about."""
        return list(self._path.glob('*.part'))


class FakeBaseImages:
    """The host's image cache: a fetch takes its time, and advances or stalls."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.advances = True
        self.asked: list[str] = []

    def base(self, image_id: str, progress: Progress = no_progress) -> Path:
        """See BaseImages."""
        self.asked.append(image_id)
        until, done = time.monotonic() + self.takes_s, 0
        while time.monotonic() < until:
            time.sleep(0.02)
            done += self.advances
            progress(done, None)
        return Path(f'/base/{image_id}.qcow2')
