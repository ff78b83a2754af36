"""Flavors and their extra specs."""

from typing import Final

from cloudplane.api.compute.schemas.types import (
    ANY_METADATA,
    BOOLEAN,
    FLAG,
    INTEGER,
    LINKS,
    NAME,
    NON_NEGATIVE_WORD,
    PAGING,
    POSITIVE_NUMBER,
    SORTING,
    STRING,
    WHOLE_NUMBER,
    Schema,
    array,
    parameters,
    record,
)

_ID: Final[Schema] = {
    'type': ['string', 'integer', 'null'],
    'minLength': 1,
    'maxLength': 255,
    'pattern': r'^(?! )(?![\s\S]*\n)[a-zA-Z0-9. _-]*(?<! )$',
    'description': 'an id of letters, digits, spaces, or . - _, without spaces at its ends',
}
CREATE: Final = record(
    {
        'flavor': record(
            {
                'name': NAME,
                'ram': POSITIVE_NUMBER,
                'vcpus': POSITIVE_NUMBER,
                'disk': WHOLE_NUMBER,
                'id': _ID,
                'swap': WHOLE_NUMBER,
                'OS-FLV-EXT-DATA:ephemeral': WHOLE_NUMBER,
                'rxtx_factor': {
                    'type': ['number', 'string'],
                    'format': 'digits-of-factor',
                    'exclusiveMinimum': 0,
                    'maximum': 3.40282e38,
                    'description': 'a number above 0',
                },
                'os-flavor-access:is_public': FLAG,
            },
            optional=('id', 'swap', 'OS-FLV-EXT-DATA:ephemeral', 'rxtx_factor', 'os-flavor-access:is_public'),
        )
    }
)
LIST_QUERY: Final = parameters(
    {**PAGING, **SORTING, 'minRam': NON_NEGATIVE_WORD, 'minDisk': NON_NEGATIVE_WORD, 'is_public': STRING}
)

_SUMMARY: Final = record({'id': STRING, 'name': STRING, 'links': LINKS})
_SHOWN: Final = record(
    {
        'id': STRING,
        'name': STRING,
        'ram': INTEGER,
        'vcpus': INTEGER,
        'disk': INTEGER,
        'swap': {'anyOf': [{'type': 'string', 'maxLength': 0}, {'type': 'integer', 'minimum': 1}]},
        'rxtx_factor': {'type': 'number'},
        'OS-FLV-EXT-DATA:ephemeral': INTEGER,
        'OS-FLV-DISABLED:disabled': BOOLEAN,
        'os-flavor-access:is_public': BOOLEAN,
        'links': LINKS,
    }
)
SHOW_ANSWER: Final = record({'flavor': _SHOWN})
LIST_ANSWER: Final = record({'flavors': array(_SUMMARY), 'flavors_links': LINKS}, optional=('flavors_links',))
DETAIL_ANSWER: Final = record({'flavors': array(_SHOWN), 'flavors_links': LINKS}, optional=('flavors_links',))
EXTRA_SPECS_ANSWER: Final = record({'extra_specs': ANY_METADATA})
EXTRA_SPEC_ANSWER: Final[Schema] = {**ANY_METADATA, 'minProperties': 1, 'maxProperties': 1}
