"""What has been done to a server."""

from typing import Final

from cloudplane.api.compute.schemas.types import NULL, STRING, TIME_MICROSECONDS, UUID, Schema, array, record

_SUMMARY: Final[dict[str, Schema]] = {
    'action': STRING,
    'instance_uuid': UUID,
    'request_id': STRING,
    'user_id': STRING,
    'project_id': STRING,
    'start_time': TIME_MICROSECONDS,
    'message': {'type': ['string', 'null']},
}
_EVENT: Final = record(
    {
        'event': STRING,
        'start_time': TIME_MICROSECONDS,
        'finish_time': {'anyOf': [TIME_MICROSECONDS, NULL]},
        'result': {'type': ['string', 'null']},
        'traceback': {'type': ['string', 'null']},
    }
)
LIST_ANSWER: Final = record({'instanceActions': array(record(_SUMMARY))})
SHOW_ANSWER: Final = record({'instanceAction': record({**_SUMMARY, 'events': array(_EVENT)})})
