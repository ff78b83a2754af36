"""The image that a server boots from: whether the caller may use it, and what it needs."""

from cloudplane.api.compute.call import Call
from cloudplane.exceptions import BadRequest
from cloudplane.images.errors import ImageNotFound
from cloudplane.objects.image import ACTIVE, PUBLIC, Image

_GIB = 1 << 30


def usable(call: Call, image_id: str) -> Image:
    """The image, if it is active and the caller may see it. BadRequest; what may not be seen is not there."""
    try:
        image = call.services.images.get(image_id)
    except ImageNotFound as error:
        raise _missing(image_id) from error
    if not (call.context.is_admin or image.visibility == PUBLIC or image.owner == call.project_id):
        raise _missing(image_id)
    if image.status != ACTIVE:
        raise BadRequest(f'Image {image_id} is not active: it is {image.status}.')
    return image


def min_disk_gb(image: Image) -> int:
    """The smallest root disk that holds the image: what its owner says, and what it takes anyway."""
    return max(image.min_disk_gb, -(-(image.virtual_size_bytes or 0) // _GIB))


def _missing(image_id: str) -> BadRequest:
    return BadRequest(f'Can not find requested image {image_id}.')
