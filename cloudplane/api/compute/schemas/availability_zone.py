"""Availability zones."""

from typing import Final

from cloudplane.api.compute.schemas.types import BOOLEAN, NULL, STRING, TIME_MICROSECONDS, Schema, array, record

_STATE: Final = record({'available': BOOLEAN})
_SERVICE: Final = record({'active': BOOLEAN, 'available': BOOLEAN, 'updated_at': {'anyOf': [TIME_MICROSECONDS, NULL]}})
_HOSTS: Final[Schema] = {
    'type': 'object',
    'additionalProperties': {'type': 'object', 'additionalProperties': _SERVICE},
}
LIST_ANSWER: Final = record(
    {'availabilityZoneInfo': array(record({'zoneName': STRING, 'zoneState': _STATE, 'hosts': NULL}))}
)
DETAIL_ANSWER: Final = record(
    {'availabilityZoneInfo': array(record({'zoneName': STRING, 'zoneState': _STATE, 'hosts': _HOSTS}))}
)
