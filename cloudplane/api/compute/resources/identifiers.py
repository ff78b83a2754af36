"""Ids in URLs and bodies."""

import re
from typing import Final

UUID_FORM: Final = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', re.IGNORECASE | re.ASCII)


def is_uuid(text: str) -> bool:
    """Whether this can be the id of a server or an image."""
    return UUID_FORM.fullmatch(text) is not None


def last_segment(reference: str) -> str:
    """The id in a reference, which may be a URL that ends with it."""
    return reference.rstrip('/').rsplit('/', 1)[-1]
