"""Servers: list, show, rename, delete. Creating one is in server_create.py, its actions in server_action.py."""

import uuid
from collections.abc import Callable
from typing import Any

from cloudplane import states
from cloudplane.api.compute import paging, policies
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources import server_search
from cloudplane.api.compute.resources.identifiers import is_uuid
from cloudplane.api.compute.views import server as views
from cloudplane.exceptions import BadRequest, ServerNotFound
from cloudplane.objects.operation import Accepted, OperationRequest
from cloudplane.objects.server import Server


def index(call: Call) -> Answer:
    """A page of servers, by id and name."""
    return _page(call, 'servers', lambda server: views.summary(server, call.links))


def detail(call: Call) -> Answer:
    """A page of servers, with everything."""
    for_admin = policies.allows(policies.SERVER_ATTRIBUTES, call.context)
    return _page(call, 'servers/detail', lambda server: views.show(server, call.links, for_admin=for_admin))


def show(call: Call, server_id: str) -> Answer:
    """One server."""
    for_admin = policies.allows(policies.SERVER_ATTRIBUTES, call.context)
    return Answer({'server': views.show(find(call, server_id), call.links, for_admin=for_admin)})


def update(call: Call, server_id: str) -> Answer:
    """Rename a server."""
    server = find(call, server_id)
    changes = call.body['server']
    _refuse_fixed(server, changes)
    if changes.get('name', server.name) != server.name:
        server = call.services.conductor.server_rename(call.context, server_id, call.scope, changes['name'])
    for_admin = policies.allows(policies.SERVER_ATTRIBUTES, call.context)
    return Answer({'server': views.basic(server, call.links, for_admin=for_admin)})


def delete(call: Call, server_id: str) -> Answer:
    """Delete a server, whatever it is doing."""
    accept(call, server_id, states.DELETE)
    return Answer()


def find(call: Call, server_id: str) -> Server:
    """The server that the caller may see. ServerNotFound."""
    check_id(server_id)
    return call.services.conductor.server_get(call.context, server_id, call.scope)


def check_id(server_id: str) -> None:
    """ServerNotFound for what cannot be an id: clients look up names in this way first."""
    if not is_uuid(server_id):
        raise ServerNotFound(f'Instance {server_id} could not be found.')


def accept(
    call: Call,
    server_id: str,
    kind: str,
    *,
    operation_id: str | None = None,
    image_id: str | None = None,
    image_name: str | None = None,
) -> Accepted:
    """Have an operation accepted, and wake up whoever does it."""
    check_id(server_id)
    request = OperationRequest(
        operation_id=operation_id or str(uuid.uuid4()),
        server_id=server_id,
        kind=kind,
        project_id=call.scope,
        user_id=call.user_id,
        image_id=image_id,
        image_name=image_name,
        idempotency=call.idempotency,
    )
    accepted = call.services.conductor.accept_operation(call.context, request)
    if accepted.work is not None and not accepted.replayed:
        call.services.wakeups.work(call.context, accepted.work)
    return accepted


def _page(call: Call, path: str, view: Callable[[Server], dict[str, Any]]) -> Answer:
    size = paging.page_size(call)
    servers = server_search.find(call, size)
    links = paging.next_links(call, 'servers', path, [server.id for server in servers], size)
    return Answer({'servers': [view(server) for server in servers], **links})


def _refuse_fixed(server: Server, changes: dict[str, Any]) -> None:
    """What Nova lets one change and cloudplane does not, yet; saying again what is true already is fine."""
    present = {
        'accessIPv4': server.access_ip_v4,
        'accessIPv6': server.access_ip_v6,
        'OS-DCF:diskConfig': server.disk_config,
    }
    for name, value in present.items():
        if changes.get(name, value) != value:
            raise BadRequest(f'Invalid input at $.server[{name!r}]: it cannot be changed after the server was made.')
