"""Servers: create, update, list, show."""

from typing import Final

from cloudplane.api.compute.schemas.types import (
    ANY_METADATA,
    DISK_CONFIG,
    FLAG,
    INTEGER,
    LINKS,
    METADATA,
    NAME,
    NULL,
    PAGING,
    POSITIVE_NUMBER,
    SORTING,
    STRING,
    TIME_MICROSECONDS,
    TIME_Z,
    UUID,
    Schema,
    array,
    nullable,
    parameters,
    record,
)

_ADDRESS: Final[dict[str, Schema]] = {
    'accessIPv4': {'type': 'string', 'format': 'ipv4', 'description': 'an IPv4 address'},
    'accessIPv6': {'type': 'string', 'format': 'ipv6', 'description': 'an IPv6 address'},
}
# A reference may be an id or, as in the first versions of the API, a URL that ends with it.
_REFERENCE: Final[Schema] = {'type': ['string', 'integer'], 'maxLength': 1024}
_DEVICE: Final[Schema] = {
    'type': 'object',
    'properties': {
        'uuid': nullable({'type': 'string', 'maxLength': 255}),
        'source_type': {'type': 'string', 'enum': ['volume', 'image', 'snapshot', 'blank']},
        'destination_type': {'type': 'string', 'enum': ['local', 'volume']},
        'boot_index': {'type': ['integer', 'string', 'null'], 'pattern': '^-?[0-9]{1,9}$'},
        'volume_size': {'type': ['integer', 'string', 'null'], 'pattern': '^[0-9]{1,10}$'},
        'delete_on_termination': FLAG,
        'device_name': nullable({'type': 'string', 'maxLength': 255}),
        'device_type': nullable({'type': 'string', 'maxLength': 255}),
        'disk_bus': nullable({'type': 'string', 'maxLength': 255}),
        'guest_format': nullable({'type': 'string', 'maxLength': 255}),
        'no_device': {},
    },
    'additionalProperties': False,
}
_NETWORK: Final[Schema] = {
    'type': 'object',
    'properties': {'uuid': STRING, 'port': nullable(STRING), 'fixed_ip': STRING},
    'additionalProperties': False,
}
_HINTS: Final[Schema] = {'type': 'object', 'maxProperties': 64}

CREATE: Final = record(
    {
        'server': record(
            {
                'name': NAME,
                'flavorRef': _REFERENCE,
                'imageRef': {'type': 'string', 'maxLength': 1024},
                'adminPass': {'type': 'string', 'maxLength': 255},
                'metadata': METADATA,
                'networks': {
                    'anyOf': [{'type': 'string', 'enum': ['auto', 'none']}, array(_NETWORK, maxItems=64)],
                },
                'OS-DCF:diskConfig': DISK_CONFIG,
                **_ADDRESS,
                'personality': array({'type': 'object'}),
                'availability_zone': NAME,
                'block_device_mapping': array({'type': 'object'}),
                'block_device_mapping_v2': array(_DEVICE, maxItems=64),
                'config_drive': FLAG,
                'key_name': NAME,
                'min_count': POSITIVE_NUMBER,
                'max_count': POSITIVE_NUMBER,
                'return_reservation_id': FLAG,
                'security_groups': array(record({'name': NAME}), maxItems=64),
                'user_data': {
                    'type': 'string',
                    'format': 'base64',
                    'maxLength': 65535,
                    'description': 'base64',
                },
            },
            optional=(
                *('imageRef', 'adminPass', 'metadata', 'networks', 'OS-DCF:diskConfig', 'accessIPv4', 'accessIPv6'),
                *('personality', 'availability_zone', 'block_device_mapping', 'block_device_mapping_v2'),
                *('config_drive', 'key_name', 'min_count', 'max_count', 'return_reservation_id'),
                *('security_groups', 'user_data'),
            ),
        ),
        'os:scheduler_hints': _HINTS,
        'OS-SCH-HNT:scheduler_hints': _HINTS,
    },
    optional=('os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'),
)

UPDATE: Final = record(
    {
        'server': record(
            {'name': NAME, 'OS-DCF:diskConfig': DISK_CONFIG, **_ADDRESS},
            optional=('name', 'OS-DCF:diskConfig', 'accessIPv4', 'accessIPv6'),
        )
    }
)

LIST_QUERY: Final = parameters(
    {
        **PAGING,
        **SORTING,
        'name': {'type': 'string', 'maxLength': 255},
        'ip': {'type': 'string', 'maxLength': 255},
        'ip6': {'type': 'string', 'maxLength': 255},
    }
)

_SECURITY_GROUPS: Final = array(record({'name': STRING}))
CREATE_ANSWER: Final[Schema] = {
    'oneOf': [
        record(
            {
                'server': record(
                    {
                        'id': UUID,
                        'links': LINKS,
                        'OS-DCF:diskConfig': DISK_CONFIG,
                        'security_groups': _SECURITY_GROUPS,
                        'adminPass': STRING,
                    }
                )
            }
        ),
        record({'reservation_id': {'type': 'string', 'pattern': '^r-[0-9a-z]{8}$'}}),
    ]
}

_SUMMARY: Final = record({'id': UUID, 'name': STRING, 'links': LINKS})
_MENTIONED: Final = record({'id': STRING, 'links': LINKS})
_ADDRESS_SHOWN: Final = record(
    {
        'addr': STRING,
        'version': {'enum': [4, 6]},
        'OS-EXT-IPS:type': {'enum': ['fixed', 'floating']},
        'OS-EXT-IPS-MAC:mac_addr': STRING,
    }
)
_PLAIN_ADDRESS: Final = record({'addr': STRING, 'version': {'enum': [4, 6]}})
_FAULT: Final = record(
    {'code': INTEGER, 'created': TIME_Z, 'message': STRING, 'details': STRING}, optional=('details',)
)
# What an update answers; a show has more.
_BASIC: Final[dict[str, Schema]] = {
    'id': UUID,
    'name': STRING,
    'status': STRING,
    'tenant_id': STRING,
    'user_id': STRING,
    'metadata': ANY_METADATA,
    'hostId': STRING,
    'image': {'anyOf': [_MENTIONED, {'type': 'string', 'maxLength': 0}]},
    'flavor': _MENTIONED,
    'created': TIME_Z,
    'updated': TIME_Z,
    'addresses': {'type': 'object', 'additionalProperties': array(_PLAIN_ADDRESS)},
    'accessIPv4': STRING,
    'accessIPv6': STRING,
    'links': LINKS,
    'OS-DCF:diskConfig': DISK_CONFIG,
    'progress': INTEGER,
    'fault': _FAULT,
}
_FOR_ADMINS: Final[dict[str, Schema]] = {
    'OS-EXT-SRV-ATTR:host': {'type': ['string', 'null']},
    'OS-EXT-SRV-ATTR:hypervisor_hostname': {'type': ['string', 'null']},
    'OS-EXT-SRV-ATTR:instance_name': STRING,
}
_FULL: Final[dict[str, Schema]] = {
    **_BASIC,
    **_FOR_ADMINS,
    'addresses': {'type': 'object', 'additionalProperties': array(_ADDRESS_SHOWN)},
    'key_name': {'type': ['string', 'null']},
    'config_drive': {'enum': ['', 'True']},
    'security_groups': _SECURITY_GROUPS,
    'OS-EXT-AZ:availability_zone': STRING,
    'OS-EXT-STS:power_state': INTEGER,
    'OS-EXT-STS:task_state': {'type': ['string', 'null']},
    'OS-EXT-STS:vm_state': STRING,
    'OS-SRV-USG:launched_at': {'anyOf': [TIME_MICROSECONDS, NULL]},
    'OS-SRV-USG:terminated_at': {'anyOf': [TIME_MICROSECONDS, NULL]},
    'os-extended-volumes:volumes_attached': array(record({'id': STRING})),
}
_SOMETIMES: Final = ('progress', 'fault')
_WITH_PROGRESS: Final = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING']


def _with_rules(server: Schema) -> Schema:
    """`progress` must be there in some statuses and in no other; `fault` may be there in two."""
    return {
        **server,
        'if': {'properties': {'status': {'enum': _WITH_PROGRESS}}},
        'then': {'required': ['progress']},
        'else': {'not': {'required': ['progress']}},
        'allOf': [
            {
                'if': {'not': {'properties': {'status': {'enum': ['ERROR', 'DELETED']}}}},
                'then': {'not': {'required': ['fault']}},
            }
        ],
    }


_SHOWN: Final[Schema] = {
    **_with_rules(record(_FULL, optional=(*_SOMETIMES, *_FOR_ADMINS))),
    'dependentRequired': {name: list(_FOR_ADMINS) for name in _FOR_ADMINS},  # all of them, or none
}
SHOW_ANSWER: Final = record({'server': _SHOWN})
UPDATE_ANSWER: Final = record({'server': _with_rules(record(_BASIC, optional=_SOMETIMES))})
LIST_ANSWER: Final = record({'servers': array(_SUMMARY), 'servers_links': LINKS}, optional=('servers_links',))
DETAIL_ANSWER: Final = record({'servers': array(_SHOWN), 'servers_links': LINKS}, optional=('servers_links',))
