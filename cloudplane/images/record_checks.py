"""What every store asks of an image's record, and of a query."""

import re

from cloudplane.images.errors import ImageInvalid
from cloudplane.images.store import ImageQuery
from cloudplane.objects.image import BARE, DISK_FORMATS, PUBLIC, VISIBILITIES, Image

MAX_NAME = 255
_SAFE_ID = re.compile(r'[0-9A-Za-z_-]{1,64}')


def is_safe_id(identifier: str) -> bool:
    """Whether an image or operation id can be part of a file name."""
    return _SAFE_ID.fullmatch(identifier) is not None


def check_image(image: Image) -> None:
    """Raise ImageInvalid, which names the field, if a record cannot be as it says."""
    checks = (
        (len(image.name) <= MAX_NAME, f'name is longer than {MAX_NAME} characters'),
        (image.disk_format in DISK_FORMATS, f'disk_format is {image.disk_format!r}, not one of {_words(DISK_FORMATS)}'),
        (image.container_format == BARE, f'container_format is {image.container_format!r}, not {BARE}'),
        (image.visibility in VISIBILITIES, f'visibility is {image.visibility!r}, not one of {_words(VISIBILITIES)}'),
        (image.min_disk_gb >= 0, 'min_disk is negative'),
        (image.min_memory_mb >= 0, 'min_ram is negative'),
    )
    for right, reason in checks:
        if not right:
            raise ImageInvalid(f'The image is refused: its {reason}.')


def matches(image: Image, query: ImageQuery) -> bool:
    """Whether a list with this query shows the image."""
    wanted = (
        (query.status, image.status),
        (query.name, image.name),
        (query.visibility, image.visibility),
        (query.owner, image.owner),
    )
    if any(asked is not None and asked != found for asked, found in wanted):
        return False
    return query.visible_to is None or image.visibility == PUBLIC or image.owner == query.visible_to


def _words(words: tuple[str, ...]) -> str:
    return ', '.join(words)
