"""An image store that keeps records, and no data."""

from pathlib import Path

from cloudplane.images.errors import ImageExists, ImageNotFound
from cloudplane.images.store import ByteSource, ImageQuery, ImageReader, ImageStore, ImageUpdate, Progress, no_progress
from cloudplane.objects.image import QUEUED, UNFINISHED, Image


class FakeImages(ImageStore):
    """`records`: all images. Whatever needs data fails loudly."""

    def __init__(self) -> None:
        self.records: dict[str, Image] = {}

    def create(self, image: Image) -> Image:
        kept = self.records.setdefault(image.id, image.evolve(status=QUEUED))
        if kept.owner != image.owner:
            raise ImageExists(f'Image {image.id} exists.')
        return kept

    def get(self, image_id: str) -> Image:
        if image_id not in self.records:
            raise ImageNotFound(f'Image {image_id} could not be found.')
        return self.records[image_id]

    def find(self, query: ImageQuery) -> list[Image]:
        return [image for image in self.records.values() if query.status in (None, image.status)]

    def delete(self, image_id: str, *, missing_ok: bool = False) -> None:
        if self.records.pop(image_id, None) is None and not missing_ok:
            raise ImageNotFound(f'Image {image_id} could not be found.')

    def discard(self, image_id: str, operation_id: str) -> bool:
        image = self.records.get(image_id)
        if image is None or image.operation_id != operation_id or image.status not in UNFINISHED:
            return False
        del self.records[image_id]
        return True

    def update(self, image_id: str, changes: ImageUpdate) -> Image:
        raise AssertionError('this double keeps images as they are')

    def upload(self, image_id: str, source: ByteSource | Path, progress: Progress = no_progress) -> Image:
        raise AssertionError('this double keeps no data')

    def open(self, image_id: str) -> ImageReader:
        raise AssertionError('this double keeps no data')

    def local_path(self, image_id: str) -> Path | None:
        raise AssertionError('this double keeps no data')

    def part_path(self, image_id: str, operation_id: str, attempt: int, *, fresh: bool = True) -> Path:
        raise AssertionError('this double keeps no data')

    def commit_part(self, image_id: str, operation_id: str, attempt: int, progress: Progress = no_progress) -> Image:
        raise AssertionError('this double keeps no data')
