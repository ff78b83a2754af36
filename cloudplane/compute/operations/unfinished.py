"""Images that a snapshot has begun and will never end, because its operation has ended without it.

The record of a snapshot's image is made when the operation is accepted. Who supersedes or fails the operation does not
know the image, so the agent discards it: when the next order for the server comes, or when the agent registers and the
conductor does not name the snapshot any more. An image that became active is not touched by that.
"""

import logging

from cloudplane import states
from cloudplane.compute.fence import Fence, Mark
from cloudplane.exceptions import CloudplaneException
from cloudplane.images.store import ImageStore
from cloudplane.objects.operation import WorkOrder

LOG = logging.getLogger(__name__)

IMAGE_NOTE = 'image'  # in the mark of a snapshot: the image that it makes
_LEFT = 'left:'  # in a later mark: `left:OPERATION` = image, could not be discarded yet


def discard_superseded_image(fence: Fence, images: ImageStore, order: WorkOrder) -> dict[str, str]:
    """Discard what an earlier order of the server has left; the notes to carry, if the store could not be reached."""
    mark = fence.mark(order.server_id)
    if mark is None or mark.operation_id == order.operation_id:
        return {}
    return _discard(images, _left_by(mark))


def discard_ended(fence: Fence, images: ImageStore, unfinished: set[str]) -> None:
    """Discard what operations have left that are not among the `unfinished` ones."""
    for mark in fence.marks():
        left = {name: image for name, image in _left_by(mark).items() if name.removeprefix(_LEFT) not in unfinished}
        still_left = _discard(images, left)
        fence.settle(mark.server_id, *(left.keys() - still_left.keys()))


def _left_by(mark: Mark) -> dict[str, str]:
    left = {name: image for name, image in mark.notes.items() if name.startswith(_LEFT)}
    if mark.kind == states.SNAPSHOT and IMAGE_NOTE in mark.notes:
        left[f'{_LEFT}{mark.operation_id}'] = mark.notes[IMAGE_NOTE]
    return left


def _discard(images: ImageStore, left: dict[str, str]) -> dict[str, str]:
    """Discard images by operation; returns those that could not be."""
    still_left = {}
    for name, image_id in left.items():
        try:
            if images.discard(image_id, name.removeprefix(_LEFT)):
                LOG.info('Discarded the unfinished image %s of operation %s', image_id, name.removeprefix(_LEFT))
        except CloudplaneException as error:
            LOG.warning('The unfinished image %s could not be discarded yet: %s', image_id, error)
            still_left[name] = image_id
    return still_left
