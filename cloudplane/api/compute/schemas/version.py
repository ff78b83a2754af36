"""Version documents."""

from typing import Final

from cloudplane.api.compute.schemas.types import STRING, Schema, array, record

_LINK: Final = record({'rel': STRING, 'href': STRING, 'type': STRING}, optional=('type',))
_VERSION: Final[dict[str, Schema]] = {
    'id': STRING,
    'status': STRING,
    'version': STRING,
    'min_version': STRING,
    'updated': STRING,
    'links': array(_LINK),
}
LIST_ANSWER: Final = record({'versions': array(record(_VERSION))})
SHOW_ANSWER: Final = record(
    {'version': record({**_VERSION, 'media-types': array(record({'base': STRING, 'type': STRING}))})}
)
