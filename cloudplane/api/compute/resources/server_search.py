"""Which servers a list shows: from query parameters to what the conductor is asked.

The conductor filters by what it has columns and indexes for. The rest (addresses, several statuses at once, what only
administrators ask for) is filtered here, page by page, until the client's page is full.
"""

import datetime
from collections.abc import Callable
from typing import Final

from cloudplane import patterns, states
from cloudplane.api.compute import policies
from cloudplane.api.compute.call import Call
from cloudplane.exceptions import BadRequest
from cloudplane.objects.server import Server, ServerQuery

Keep = Callable[[Server], bool]

# What clients call a column, and its name in the record.
SORT_KEYS: Final[dict[str, str]] = {
    'uuid': 'id',
    'id': 'id',
    'display_name': 'name',
    'name': 'name',
    'created_at': 'created_at',
    'updated_at': 'updated_at',
    'vm_state': 'vm_state',
    'task_state': 'task_state',
    'power_state': 'power_state',
    'image_ref': 'image_id',
    'host': 'host',
    'launch_index': 'launch_index',
    'key_name': 'key_name',
    'user_id': 'user_id',
    'project_id': 'project_id',
    'availability_zone': 'availability_zone',
}
_FOR_ADMINS: Final[dict[str, Callable[[Server], object]]] = {
    'availability_zone': lambda server: server.availability_zone,
    'key_name': lambda server: server.key_name,
    'user_id': lambda server: server.user_id,
    'hostname': lambda server: server.hostname,
    'vm_state': lambda server: server.vm_state,
    'task_state': lambda server: server.task_state,
    'power_state': lambda server: server.power_state,
    'launch_index': lambda server: server.launch_index,
    'node': lambda server: server.hypervisor_hostname,
}


def find(call: Call, size: int) -> list[Server]:
    """The page of servers that the client asks for. BadRequest, Forbidden."""
    statuses = _statuses(call)
    query = _query(call, statuses, size)
    if size == 0 or statuses == []:
        return []
    keeps = [*_address_filters(call), *_status_filter(statuses), *_admin_filters(call)]
    if not keeps:
        return list(call.services.conductor.server_list(call.context, query))
    return _filtered(call, query.evolve(limit=call.services.max_limit), keeps, size)


def _filtered(call: Call, query: ServerQuery, keeps: list[Keep], size: int) -> list[Server]:
    found: list[Server] = []
    while True:
        page = call.services.conductor.server_list(call.context, query)
        found += [server for server in page if all(keep(server) for keep in keeps)]
        if len(found) >= size or len(page) < query.limit:
            return found[:size]
        query = query.evolve(marker=page[-1].id)


def _query(call: Call, statuses: list[str] | None, size: int) -> ServerQuery:
    asked, is_admin = call.query, call.context.is_admin
    changes_since = _changes_since(asked.one('changes-since'))
    sort_keys, sort_dirs = _order(call)
    return ServerQuery(
        project_id=_project(call),
        name_regex=_name(call),
        status=statuses[0] if statuses and len(statuses) == 1 else None,
        flavor_id=asked.one('flavor'),
        image_id=asked.one('image'),
        host=asked.one('host') if is_admin else None,
        uuid=asked.one('uuid'),
        reservation_id=asked.one('reservation_id'),
        changes_since=changes_since,
        # Clients send deleted=False for everybody, so nobody is refused for it.
        deleted=is_admin and (asked.flag('deleted') or statuses == ['DELETED']),
        limit=size,
        marker=asked.one('marker'),
        sort_keys=sort_keys,
        sort_dirs=sort_dirs,
    )


def _project(call: Call) -> str | None:
    """The project whose servers are listed; None: all projects."""
    if call.query.flag('all_tenants', empty=True):
        policies.enforce(policies.ALL_TENANTS, call.context)
        return _named_project(call)
    named = _named_project(call)
    if named is not None and named != call.project_id:
        policies.enforce(policies.ALL_TENANTS, call.context)
    return named or call.project_id


def _named_project(call: Call) -> str | None:
    return call.query.one('project_id') or call.query.one('tenant_id')


def _order(call: Call) -> tuple[tuple[str, ...], tuple[str, ...]]:
    keys, dirs = call.query.all('sort_key'), call.query.all('sort_dir')
    if len(dirs) > len(keys) and keys:
        raise BadRequest('There are more values of sort_dir than of sort_key.')
    if not keys:
        direction = dirs[0] if dirs else 'desc'
        return ('created_at', 'id'), (direction, direction)
    unknown = [key for key in keys if key not in SORT_KEYS]
    if unknown:
        raise BadRequest(f'Servers cannot be sorted by {unknown[0]!r}; known are {", ".join(SORT_KEYS)}.')
    directions = [*dirs, *[dirs[-1] if dirs else 'desc'] * (len(keys) - len(dirs))]
    order = dict(zip((SORT_KEYS[key] for key in keys), directions, strict=True))
    order.setdefault('id', directions[-1])  # so that the order is total, and a marker means one place
    return tuple(order), tuple(order.values())


def _statuses(call: Call) -> list[str] | None:
    """The statuses that are asked for; None: any. What is not a status matches nothing, as below 2.38."""
    asked = call.query.all('status')
    if not asked:
        return None
    return [status for status in (each.upper() for each in asked) if states.vm_states_of_status(status)]


def _status_filter(statuses: list[str] | None) -> list[Keep]:
    if statuses is None or len(statuses) < 2:
        return []
    wanted = frozenset(statuses)
    return [lambda server: states.status(server.vm_state, server.task_state) in wanted]


def _address_filters(call: Call) -> list[Keep]:
    keeps: list[Keep] = []
    for parameter, version in (('ip', 4), ('ip6', 6)):
        text = call.query.one(parameter)
        if text is not None:
            patterns.check(parameter, text)
            keeps.append(_address_filter(patterns.compiled(text), version))
    return keeps


def _address_filter(pattern: patterns.Pattern, version: int) -> Keep:
    return lambda server: any(
        address.version == version and pattern.match(address.address) is not None for address in server.addresses
    )


def _admin_filters(call: Call) -> list[Keep]:
    """What others ask for in these parameters is ignored, as in Nova below 2.83."""
    if not call.context.is_admin:
        return []
    asked = {name: call.query.all(name) for name in _FOR_ADMINS if call.query.all(name)}
    return [_equality(_FOR_ADMINS[name], frozenset(values)) for name, values in asked.items()]


def _equality(attribute: Callable[[Server], object], values: frozenset[str]) -> Keep:
    return lambda server: str(attribute(server)) in values


def _name(call: Call) -> str | None:
    expression = call.query.one('name')
    if expression is not None:
        patterns.check('name', expression)
    return expression


def _changes_since(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        time = datetime.datetime.fromisoformat(text.replace(' ', '+'))  # a + in a query that was not quoted
    except ValueError as error:
        raise BadRequest('The parameter changes-since must be a time like 2026-01-31T12:00:00Z.') from error
    in_utc = time if time.tzinfo is None else time.astimezone(datetime.UTC)
    return in_utc.strftime('%Y-%m-%dT%H:%M:%S.%f')
