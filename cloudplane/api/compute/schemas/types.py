"""The pieces that schemas are made of."""

from typing import Any, Final

from cloudplane.api.compute import words

Schema = dict[str, Any]


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with exactly these properties."""
    return {
        'type': 'object',
        'properties': properties,
        'required': [name for name in properties if name not in optional],
        'additionalProperties': False,
    }


def array(items: Schema, **limits: int) -> Schema:
    """A list of one kind of thing."""
    return {'type': 'array', 'items': items, **limits}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {'anyOf': [schema, {'type': 'null'}]}


def parameters(named: dict[str, Schema]) -> Schema:
    """A query: each parameter may come several times. Parameters that are not named are ignored, as below 2.75."""
    return {'type': 'object', 'properties': {name: array(schema) for name, schema in named.items()}}


STRING: Final[Schema] = {'type': 'string'}
INTEGER: Final[Schema] = {'type': 'integer'}
BOOLEAN: Final[Schema] = {'type': 'boolean'}
NULL: Final[Schema] = {'type': 'null'}
MAX_INT: Final = 0x7FFFFFFF

UUID: Final[Schema] = {
    'type': 'string',
    'pattern': '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
    'description': 'a UUID',
}
# The lookahead keeps out line ends, so that `$` cannot match before one.
NAME: Final[Schema] = {
    'type': 'string',
    'minLength': 1,
    'maxLength': 255,
    'pattern': r'^(?!\s)(?![\s\S]*[\x00-\x1f\x7f])[\s\S]*\S$',
    'description': 'a name of 1 to 255 characters without control characters, nor white space at its ends',
}
FLAG: Final[Schema] = {'enum': [*words.TRUE, *words.FALSE]}
DISK_CONFIG: Final[Schema] = {'type': 'string', 'enum': ['AUTO', 'MANUAL']}
METADATA: Final[Schema] = {
    'type': 'object',
    'propertyNames': {
        'pattern': r'^(?![\s\S]*\n)[a-zA-Z0-9-_:. ]{1,255}$',
        'description': 'a key of 1 to 255 letters, digits, spaces, or - _ : .',
    },
    'additionalProperties': {'type': 'string', 'maxLength': 255},
}
ANY_METADATA: Final[Schema] = {'type': 'object', 'additionalProperties': STRING}

LINKS: Final = array(record({'rel': STRING, 'href': STRING}))
TIME_Z: Final[Schema] = {'type': 'string', 'pattern': r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$'}
TIME_MICROSECONDS: Final[Schema] = {'type': 'string', 'pattern': r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$'}

NON_NEGATIVE_WORD: Final[Schema] = {
    'type': 'string',
    'pattern': '^[0-9]{1,18}$',
    'description': 'a number that is not negative',
}
PAGING: Final[dict[str, Schema]] = {'limit': NON_NEGATIVE_WORD, 'marker': {'type': 'string', 'maxLength': 255}}
SORTING: Final[dict[str, Schema]] = {
    'sort_key': {'type': 'string', 'maxLength': 64},
    'sort_dir': {'type': 'string', 'enum': ['asc', 'desc']},
}

ERROR: Final[Schema] = {
    'type': 'object',
    'minProperties': 1,
    'maxProperties': 1,
    'additionalProperties': record({'code': {'type': 'integer', 'minimum': 400, 'maximum': 599}, 'message': STRING}),
}


# A number, or the digits of one. `minimum` and `maximum` bind numbers alone, the format binds digits.
WHOLE_NUMBER: Final[Schema] = {
    'type': ['integer', 'string'],
    'minimum': 0,
    'maximum': MAX_INT,
    'format': 'digits-of-whole-number',
    'description': f'a whole number from 0 to {MAX_INT}',
}
POSITIVE_NUMBER: Final[Schema] = {
    **WHOLE_NUMBER,
    'minimum': 1,
    'format': 'digits-of-positive-number',
    'description': f'a whole number from 1 to {MAX_INT}',
}
