"""Daemons, as operators see them."""

from typing import Final

from cloudplane.api.compute.schemas.types import NULL, STRING, TIME_MICROSECONDS, array, parameters, record

LIST_QUERY: Final = parameters({'host': STRING, 'binary': STRING})
LIST_ANSWER: Final = record(
    {
        'services': array(
            record(
                {
                    'id': {'type': ['integer', 'string']},
                    'binary': STRING,
                    'host': STRING,
                    'zone': STRING,
                    'status': {'enum': ['enabled', 'disabled']},
                    'state': {'enum': ['up', 'down']},
                    'disabled_reason': {'type': ['string', 'null']},
                    'updated_at': {'anyOf': [TIME_MICROSECONDS, NULL]},
                }
            )
        )
    }
)
