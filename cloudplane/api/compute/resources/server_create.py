"""POST /servers: from what the client says to what the conductor accepts."""

import re
import secrets
import string
import uuid
from typing import Any, Final

from cloudplane.api.compute import words
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources import server_disks, server_image, server_networks
from cloudplane.api.compute.resources.identifiers import last_segment
from cloudplane.api.compute.views import server as views
from cloudplane.exceptions import BadRequest, NotFound, QuotaExceeded
from cloudplane.objects.operation import Accepted, CreateRequest, NewServer

MAX_COUNT: Final = 1000
# Without those that people confuse.
_PASSWORD_LETTERS: Final = ''.join(set(string.ascii_letters + string.digits) - set('0O1lI'))
_RESERVATION_LETTERS: Final = string.ascii_lowercase + string.digits
_NOT_IN_HOSTNAME: Final = re.compile(r'[^a-z0-9-]+')


def create(call: Call) -> Answer:
    """Have servers built."""
    asked = call.body['server']
    _refuse_unsupported(asked)
    fewest, most = _counts(asked)
    request = _request(call, asked)
    accepted = _accept(call, request, asked['name'], fewest, most)
    if accepted.builds and not accepted.replayed:
        call.services.wakeups.build(call.context, accepted.builds)
    if asked.get('return_reservation_id', False) in words.TRUE:
        return Answer({'reservation_id': accepted.reservation_id or request.reservation_id})
    return _answer(call, request, accepted)


def _answer(call: Call, request: CreateRequest, accepted: Accepted) -> Answer:
    server_id = accepted.server_ids[0]
    shown = {
        'id': server_id,
        'links': call.links.both('servers', server_id),
        'OS-DCF:diskConfig': request.disk_config,
        'security_groups': views.SECURITY_GROUPS,
        'adminPass': accepted.admin_pass or request.admin_pass,
    }
    return Answer({'server': shown}, (('Location', call.links.itself('servers', server_id)),))


def _request(call: Call, asked: dict[str, Any]) -> CreateRequest:
    """The request, but for its servers."""
    image = server_image.usable(call, server_disks.boot_image(asked))
    return CreateRequest(
        servers=(),
        project_id=call.project_id,
        user_id=call.user_id,
        flavor_id=last_segment(str(asked['flavorRef'])),
        image_id=image.id,
        image_min_disk_gb=server_image.min_disk_gb(image),
        image_min_memory_mb=image.min_memory_mb,
        image_properties=image.properties,
        key_name=asked.get('key_name'),
        user_data=asked.get('user_data'),
        metadata=asked.get('metadata', {}),
        config_drive=asked.get('config_drive', False) in words.TRUE,
        disk_config=asked.get('OS-DCF:diskConfig', 'MANUAL'),
        access_ip_v4=asked.get('accessIPv4', ''),
        access_ip_v6=asked.get('accessIPv6', ''),
        availability_zone=_zone(call, asked.get('availability_zone')),
        networks=server_networks.wanted(asked.get('networks')),
        admin_pass=asked.get('adminPass') or _random(_PASSWORD_LETTERS, 12),
        reservation_id=f'r-{_random(_RESERVATION_LETTERS, 8)}',
        scheduler_hints=_hints(call.body),
        idempotency=call.idempotency,
    )


def _accept(call: Call, request: CreateRequest, name: str, fewest: int, most: int) -> Accepted:
    """Have as many servers accepted as the quota lets, between the two numbers.

    Nobody knows beforehand how many that are, so half of what may be left out is left out at each try.
    """
    servers = tuple(_new_server(name, index, most) for index in range(most))
    count = most
    while True:
        try:
            return call.services.conductor.accept_create(call.context, request.evolve(servers=servers[:count]))
        except NotFound as error:
            # What a body names and is not there is a bad request; 404 is for what the URL names.
            raise BadRequest(error.message) from error
        except QuotaExceeded:
            if count == fewest:
                raise
            count = fewest + (count - fewest) // 2


def _new_server(name: str, index: int, of: int) -> NewServer:
    server_id = str(uuid.uuid4())
    own_name = name if of == 1 else f'{name[: 254 - len(str(of))]}-{index + 1}'
    return NewServer(
        server_id=server_id,
        operation_id=str(uuid.uuid4()),
        name=own_name,
        hostname=_hostname(own_name) or f'server-{server_id}',
        launch_index=index,
    )


def _hostname(name: str) -> str:
    dashed = re.sub(r'[\s_.]', '-', name.lower())
    return _NOT_IN_HOSTNAME.sub('', dashed).strip('-')[:63].rstrip('-')


def _counts(asked: dict[str, Any]) -> tuple[int, int]:
    fewest = int(asked.get('min_count', 1))
    most = int(asked.get('max_count', fewest))
    for name, count in (('min_count', fewest), ('max_count', most)):
        if not 1 <= count <= MAX_COUNT:
            raise BadRequest(f'Invalid input at $.server.{name}: it must be from 1 to {MAX_COUNT}.')
    if fewest > most:
        raise BadRequest('Invalid input at $.server.min_count: it must not be greater than max_count.')
    return fewest, most


def _zone(call: Call, zone: str | None) -> str | None:
    if zone is not None and not call.services.zones.has(call.context, zone):
        raise BadRequest(f'The requested availability zone is not available: {zone!r}.')
    return zone


def _hints(body: dict[str, Any]) -> dict[str, Any]:
    hints: dict[str, Any] = {**body.get('OS-SCH-HNT:scheduler_hints', {}), **body.get('os:scheduler_hints', {})}
    return hints


def _refuse_unsupported(asked: dict[str, Any]) -> None:
    if asked.get('personality'):
        raise BadRequest(
            'Invalid input at $.server.personality: files cannot be injected into a guest; send them in user_data.'
        )
    for group in asked.get('security_groups', ()):
        if group['name'] != 'default':
            raise BadRequest(f"Unable to find security_group with name or id '{group['name']}': there is only default.")


def _random(letters: str, length: int) -> str:
    return ''.join(secrets.choice(letters) for _ in range(length))
