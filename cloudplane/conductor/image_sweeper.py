"""Removes the unfinished images of snapshots that have failed: their agent may never come back to do it."""

import logging
from datetime import UTC, datetime

from cloudplane import exceptions
from cloudplane.conductor.db import operations
from cloudplane.conductor.db.session import Database
from cloudplane.images.store import ImageQuery, ImageStore
from cloudplane.objects.image import UNFINISHED, Image

LOG = logging.getLogger(__name__)
UNKNOWN_FOR_S = 600  # an image is made just before its operation is accepted: one that never was is old


class ImageSweeper:
    """Compares unfinished images with the operations that should finish them."""

    def __init__(self, database: Database, images: ImageStore) -> None:
        self._database, self._images = database, images

    def sweep(self) -> None:
        """Look at every unfinished image once."""
        for status in UNFINISHED:
            for image in self._images.find(ImageQuery(status=status)):
                if image.operation_id is not None and self._abandoned(image, image.operation_id):
                    self._discard(image, image.operation_id)

    def _abandoned(self, image: Image, operation_id: str) -> bool:
        operation = self._database.read(lambda conn: operations.get(conn, operation_id))
        if operation is not None:
            return operation.ended
        age = datetime.now(UTC) - datetime.fromisoformat(image.created_at)
        return age.total_seconds() > UNKNOWN_FOR_S

    def _discard(self, image: Image, operation_id: str) -> None:
        try:
            if self._images.discard(image.id, operation_id):
                LOG.info('Removed image %s: its snapshot has not been made', image.id)
        except exceptions.CloudplaneException as error:
            LOG.warning('Image %s of a failed snapshot could not be removed: %s', image.id, error)
