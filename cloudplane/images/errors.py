"""What can go wrong with an image. `retryable`: a build that failed for this may succeed on another host."""

from typing import ClassVar

from cloudplane.exceptions import (
    BadRequest,
    CloudplaneException,
    Conflict,
    Forbidden,
    GuestError,
    GuestInvalid,
    NotFound,
)


class ImageError(CloudplaneException):
    """Something went wrong with an image."""

    error = 'image'
    retryable: ClassVar[bool] = False


class ImageNotFound(ImageError, NotFound):
    """The image could not be found."""

    error = 'image_not_found'


class ImageNotActive(ImageError, BadRequest):
    """The image is not active."""

    error = 'image_not_active'


class ImageInvalid(ImageError, BadRequest):
    """The image is refused: its content is not what it must be."""

    error = 'image_invalid'


class ImageProtected(ImageError, Forbidden):
    """The image is protected and cannot be deleted."""

    error = 'image_protected'


class ImageExists(ImageError, Conflict):
    """An image with that id exists and is somebody else's."""

    error = 'image_exists'


class ImageBusy(ImageError, Conflict):
    """Data is being written to the image, or has been written: it cannot be written again."""

    error = 'image_busy'


class ImageAttemptStale(ImageError, Conflict):
    """A later attempt writes this image; this one's work is of no use any more."""

    error = 'image_attempt_stale'


class ImageCorrupt(ImageError):
    """The data of the image is not what was verified when it became active."""

    error = 'image_corrupt'
    retryable = True


class ImageSpaceExhausted(ImageError, GuestError):
    """There is no space left for the image."""

    code = 413
    error = 'image_space_exhausted'
    retryable = True


class FlavorDiskTooSmall(ImageError, GuestInvalid):
    """The flavor's disk is smaller than the image needs."""

    code = 400
    error = 'flavor_disk_too_small'
