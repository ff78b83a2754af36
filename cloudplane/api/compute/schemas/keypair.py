"""Keypairs."""

from typing import Final

from cloudplane.api.compute.schemas.types import INTEGER, NULL, STRING, TIME_MICROSECONDS, Schema, array, record

_NAME: Final[Schema] = {
    'type': 'string',
    'minLength': 1,
    'maxLength': 255,
    'pattern': r'^(?! )(?![\s\S]*\n)[a-zA-Z0-9 _-]*(?<! )$',
    'description': 'a name of letters, digits, spaces, - or _, without spaces at its ends',
}
CREATE: Final = record(
    {
        'keypair': record(
            {'name': _NAME, 'public_key': {'type': 'string', 'minLength': 1, 'maxLength': 16384}},
            optional=('public_key',),
        )
    }
)

_FINGERPRINT: Final[Schema] = {'type': 'string', 'pattern': '^[0-9a-f]{2}(:[0-9a-f]{2}){15}$'}
_SUMMARY: Final[dict[str, Schema]] = {'name': STRING, 'public_key': STRING, 'fingerprint': _FINGERPRINT}
LIST_ANSWER: Final = record({'keypairs': array(record({'keypair': record(_SUMMARY)}))})
CREATE_ANSWER: Final = record(
    {'keypair': record({**_SUMMARY, 'user_id': STRING, 'private_key': STRING}, optional=('private_key',))}
)
SHOW_ANSWER: Final = record(
    {
        'keypair': record(
            {
                **_SUMMARY,
                'user_id': STRING,
                'id': INTEGER,
                'deleted': {'const': False},
                'created_at': TIME_MICROSECONDS,
                'updated_at': NULL,
                'deleted_at': NULL,
            }
        )
    }
)
