"""Snapshot: a copy of the guest's root disk becomes an image, whose id was made when it was accepted."""

import logging
from pathlib import Path

from cloudplane import faultpoints, states
from cloudplane.compute.bounded import store_progress
from cloudplane.compute.operations.base import Operation, Outcome
from cloudplane.compute.operations.unfinished import IMAGE_NOTE
from cloudplane.compute.virt.driver import Progress
from cloudplane.exceptions import CloudplaneException, GuestInvalid
from cloudplane.images.errors import ImageNotFound
from cloudplane.objects.image import ACTIVE
from cloudplane.objects.operation import Verdict

LOG = logging.getLogger(__name__)

END_COPIES = faultpoints.declare('compute.snapshot.end_copies')
COPY = faultpoints.declare('compute.snapshot.copy')
PUBLISH = faultpoints.declare('compute.snapshot.publish')
DISCARD = faultpoints.declare('compute.snapshot.discard')


class Snapshot(Operation):
    """Done already when the image is active; half done, copies are ended, and a new part file is written."""

    BEGIN = faultpoints.declare('compute.snapshot.begin', reports=True)
    FINISH = faultpoints.declare('compute.snapshot.finish', reports=True)

    def notes(self) -> dict[str, str]:
        """The image, so that it can be discarded whatever happens."""
        return {IMAGE_NOTE: self.order.image_id} if self.order.image_id else {}

    def perform(self) -> Outcome:
        """Copy and publish."""
        image_id = self.order.image_id
        if image_id is None:
            raise GuestInvalid('the order does not say which image to make')
        guest = self.guest()
        if not self._is_active(image_id):
            with self.job.recorded(END_COPIES):
                self.bounded('the end of earlier copies', lambda _: self.at.driver.end_copies(self.server_id))
            self._make(image_id, self.job.attempt)
        return Outcome(succeeded=True, power_state=guest.power_state)

    def _is_active(self, image_id: str) -> bool:
        try:
            return self.at.images.get(image_id).status == ACTIVE
        except ImageNotFound as error:
            raise ImageNotFound(f'image {image_id} was deleted before its data was there') from error

    def _make(self, image_id: str, attempt: int) -> None:
        operation_id = self.order.operation_id
        with self.job.recorded(COPY):
            target = self.at.images.part_path(image_id, operation_id, attempt)
            self.transfer('the copy of the root disk', lambda progress: self._copy(target, progress))
        with self.job.recorded(PUBLISH):
            self.transfer(
                'the publication of the image',
                lambda progress: self.at.images.commit_part(image_id, operation_id, attempt, store_progress(progress)),
            )

    def _copy(self, target: Path, progress: Progress) -> None:
        self.at.driver.copy_disk(self.server_id, target, progress)

    def accepted(self, outcome: Outcome) -> None:
        """A snapshot that failed leaves no image."""
        if not outcome.succeeded:
            self._discard()

    def refused(self, verdict: Verdict) -> None:
        """An operation that has ended leaves no unfinished image; a later attempt (wanted: leave) needs its record."""
        if verdict.wanted != states.WANT_LEAVE:
            self._discard()

    def _discard(self) -> None:
        with DISCARD:
            try:
                self.at.images.discard(self.order.image_id or '', self.order.operation_id)
            except CloudplaneException as error:
                LOG.warning('Image %s is discarded at the next start: %s', self.order.image_id, error)
