"""The metadata of one server."""

from typing import Final

from cloudplane.api.compute.schemas.types import ANY_METADATA, STRING, record

LIST_ANSWER: Final = record({'metadata': ANY_METADATA})
SHOW_ANSWER: Final = record(
    {'meta': {'type': 'object', 'additionalProperties': STRING, 'minProperties': 1, 'maxProperties': 1}}
)
