"""Servers in the database: the view, and the compare-and-set by which operations change them."""

import re
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, insert, or_, select, update

from cloudplane import exceptions, patterns, states
from cloudplane.conductor.db import flavors, models
from cloudplane.conductor.db.clock import to_text, utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.objects.host import HostInventory
from cloudplane.objects.server import Address, Fault, Server, ServerQuery

_SERVER = models.table(models.Server)
_HOST = models.table(models.Host)
_FAULT = models.table(models.Fault)

SORT_COLUMNS: dict[str, ColumnElement[Any]] = {
    'created_at': _SERVER.c.created_at,
    'updated_at': func.coalesce(_SERVER.c.updated_at, _SERVER.c.created_at),
    'id': _SERVER.c.id,
    'name': _SERVER.c.name,
    'vm_state': _SERVER.c.vm_state,
    'task_state': func.coalesce(_SERVER.c.task_state, ''),
    'power_state': _SERVER.c.power_state,
    'host': func.coalesce(_HOST.c.name, ''),
    'project_id': _SERVER.c.project_id,
    'user_id': _SERVER.c.user_id,
    'image_id': func.coalesce(_SERVER.c.image_id, ''),
    'flavor_id': _SERVER.c.flavor_id,
    'key_name': func.coalesce(_SERVER.c.key_name, ''),
    'availability_zone': func.coalesce(_SERVER.c.availability_zone, ''),
    'launch_index': _SERVER.c.launch_index,
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a server was asked to be, beyond its columns."""

    config_drive: bool = False
    disk_config: str = 'MANUAL'
    access_ip_v4: str = ''
    access_ip_v6: str = ''


def encode(value: Any) -> str:
    """JSON text for a `_json` column."""
    return msgspec.json.encode(value).decode()


def missing(server_id: str) -> exceptions.ServerNotFound:
    """There is none, or it belongs to another project: the two look the same."""
    return exceptions.ServerNotFound(f'Instance {server_id} could not be found.')


# Made once: SQLAlchemy takes longer to put so wide a statement together than SQLite to run it.
_SELECT: Select[Any] = select(
    _SERVER,
    _HOST.c.name.label('host_name'),
    _HOST.c.zone.label('host_zone'),
    _HOST.c.inventory_json.label('host_inventory'),
).outerjoin(_HOST, _HOST.c.id == _SERVER.c.host_id)
_SELECT_ONE = _SELECT.where(_SERVER.c.id == bindparam('wanted_id'), _SERVER.c.deleted.is_(False))
_SELECT_ONE_OF_PROJECT = _SELECT_ONE.where(_SERVER.c.project_id == bindparam('wanted_project_id'))


def get(conn: Connection, server_id: str, project_id: str | None) -> Server:
    """One server that is not deleted, as the API shows it."""
    if project_id is None:
        row = conn.execute(_SELECT_ONE, {'wanted_id': server_id}).one_or_none()
    else:
        wanted = {'wanted_id': server_id, 'wanted_project_id': project_id}
        row = conn.execute(_SELECT_ONE_OF_PROJECT, wanted).one_or_none()
    if row is None:
        raise missing(server_id)
    return _record(row, _faults(conn, [row]))


def must_exist(conn: Connection, server_id: str, project_id: str | None) -> None:
    """Raise ServerNotFound unless the project has, or had, this server."""
    statement = select(_SERVER.c.id).where(_SERVER.c.id == server_id)
    if project_id is not None:
        statement = statement.where(_SERVER.c.project_id == project_id)
    if conn.execute(statement).one_or_none() is None:
        raise missing(server_id)


def page(conn: Connection, query: ServerQuery) -> tuple[Server, ...]:
    """A page of servers in the wanted order, after the marker. Raises BadRequest."""
    columns = [_sort_column(key) for key in query.sort_keys]
    statement = _SELECT.where(*_conditions(query))
    if query.marker is not None:
        statement = statement.where(_after(conn, query, columns))
    ordered = statement.order_by(
        *(
            column.desc() if direction == 'desc' else column.asc()
            for column, direction in zip(columns, query.sort_dirs, strict=True)
        )
    )
    rows = conn.execute(ordered.limit(query.limit)).all()
    faults = _faults(conn, rows)
    return tuple(_record(row, faults) for row in rows)


def _sort_column(key: str) -> ColumnElement[Any]:
    if key not in SORT_COLUMNS:
        raise exceptions.BadRequest(f'Invalid sort key {key!r}; it must be one of {", ".join(sorted(SORT_COLUMNS))}')
    return SORT_COLUMNS[key]


def _after(conn: Connection, query: ServerQuery, columns: list[ColumnElement[Any]]) -> ColumnElement[bool]:
    """What comes after the marker: (a > x) OR (a = x AND b > y) …, each by its direction."""
    statement = select(*columns).select_from(_SERVER.outerjoin(_HOST, _HOST.c.id == _SERVER.c.host_id))
    statement = statement.where(_SERVER.c.id == query.marker)
    if query.project_id is not None:
        statement = statement.where(_SERVER.c.project_id == query.project_id)
    marker = conn.execute(statement).one_or_none()
    if marker is None:
        raise exceptions.BadRequest(f'marker [{query.marker}] not found')
    alternatives = []
    for at, (column, direction) in enumerate(zip(columns, query.sort_dirs, strict=True)):
        equal = [columns[before] == marker[before] for before in range(at)]
        beyond = column < marker[at] if direction == 'desc' else column > marker[at]
        alternatives.append(and_(*equal, beyond))
    return or_(*alternatives)


def _conditions(query: ServerQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    exact = {
        _SERVER.c.project_id: query.project_id,
        _SERVER.c.flavor_id: query.flavor_id,
        _SERVER.c.image_id: query.image_id,
        _HOST.c.name: query.host,
        _SERVER.c.id: query.uuid,
        _SERVER.c.reservation_id: query.reservation_id,
    }
    found += [column == value for column, value in exact.items() if value is not None]
    if query.changes_since is not None:
        found.append(func.coalesce(_SERVER.c.updated_at, _SERVER.c.created_at) >= _moment(query.changes_since))
    else:
        found.append(_SERVER.c.deleted.is_(query.deleted))
    if query.vm_states is not None:
        found.append(_SERVER.c.vm_state.in_(query.vm_states))
    if query.task_states is not None:
        found.append(_SERVER.c.task_state.in_(query.task_states))
    if query.not_task_states is not None:
        found.append(or_(_SERVER.c.task_state.is_(None), _SERVER.c.task_state.not_in(query.not_task_states)))
    if query.status is not None:
        found.append(_status(query.status))
    if query.name_regex is not None:
        found.append(_name(query.name_regex))
    return found


def _moment(text: str) -> Any:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise exceptions.BadRequest(f'Invalid time {text!r}: use YYYY-MM-DDThh:mm:ss') from None


def _status(status: str) -> ColumnElement[bool]:
    pairs = []
    for vm_state, task in states.vm_states_of_status(status):
        same = _SERVER.c.vm_state == vm_state
        if task is not None:
            pairs.append(and_(same, _SERVER.c.task_state == task))
        elif busy := states.busy_tasks(vm_state):
            pairs.append(and_(same, or_(_SERVER.c.task_state.is_(None), _SERVER.c.task_state.not_in(busy))))
        else:
            pairs.append(same)
    return or_(*pairs) if pairs else _SERVER.c.id.is_(None)


def _name(pattern: str) -> ColumnElement[bool]:
    if re.fullmatch(r'[\w .-]*', pattern):  # nearly always: what a dot matches, a dot matches
        wildcard = pattern.replace('_', '/_').replace('.', '_')
        return _SERVER.c.name.like(f'%{wildcard}%', escape='/')
    patterns.check('name', pattern)
    return _SERVER.c.name.regexp_match(pattern)


def _faults(conn: Connection, rows: Any) -> dict[str, Fault]:
    """The newest fault of each server that shows one."""
    ids = [row.id for row in rows if row.vm_state in (states.ERROR, states.DELETED)]
    if not ids:
        return {}
    found = conn.execute(select(_FAULT).where(_FAULT.c.server_id.in_(ids)).order_by(_FAULT.c.id))
    return {
        row.server_id: Fault(
            code=row.code, message=row.message, details=row.details, created_at=to_text(row.created_at) or ''
        )
        for row in found
    }


def _record(row: Row[Any], faults: dict[str, Fault]) -> Server:
    options = msgspec.json.decode(row.options_json, type=Options)
    node = None
    if row.host_inventory is not None:
        node = msgspec.json.decode(row.host_inventory, type=HostInventory).hypervisor_hostname
    same = (
        'id', 'project_id', 'user_id', 'name', 'hostname', 'vm_state', 'task_state', 'power_state', 'image_id',
        'key_name', 'user_data', 'reservation_id', 'launch_index', 'sequence', 'operation_id',
    )  # fmt: skip
    return Server(
        **{name: getattr(row, name) for name in same},
        **msgspec.structs.asdict(options),
        flavor=flavors.decode(row.flavor_json),
        metadata=msgspec.json.decode(row.metadata_json, type=dict[str, str]),
        addresses=msgspec.json.decode(row.addresses_json, type=tuple[Address, ...]),
        availability_zone=row.host_zone or row.availability_zone,
        host=row.host_name,
        hypervisor_hostname=node,
        fault=faults.get(row.id),
        created_at=to_text(row.created_at) or '',
        updated_at=to_text(row.updated_at),
        launched_at=to_text(row.launched_at),
        terminated_at=to_text(row.terminated_at),
    )


def add(conn: Connection, rows: list[dict[str, Any]]) -> bool:
    """Insert new servers; False: some of them are there already."""
    return insert_new(conn, models.Server, rows) == len(rows)


def lock(conn: Connection, server_id: str) -> None:
    """Hold a server until the transaction ends: what is read of it and of its operation afterwards stays true.

    The first lock of every transition. SQLite needs none: a write transaction there is alone.
    """
    if conn.dialect.name != 'sqlite':
        # key_share: rows that refer to the server may be inserted meanwhile
        conn.execute(select(_SERVER.c.id).where(_SERVER.c.id == server_id).with_for_update(key_share=True))


def change(conn: Connection, server_id: str, operation_id: str | None, values: dict[str, Any]) -> bool:
    """Change a server, if `operation_id` is its active operation (None: if it rests). This is the lock as well."""
    same = _SERVER.c.operation_id.is_(None) if operation_id is None else _SERVER.c.operation_id == operation_id
    changed = conn.execute(
        update(_SERVER).where(_SERVER.c.id == server_id, same).values(updated_at=utc_now(), **values)
    )
    return changed.rowcount == 1


def rename(conn: Connection, server_id: str, project_id: str | None, name: str) -> Server:
    """Change the display name of a server that is not deleted."""
    statement = update(_SERVER).where(_SERVER.c.id == server_id, _SERVER.c.deleted.is_(False))
    if project_id is not None:
        statement = statement.where(_SERVER.c.project_id == project_id)
    conn.execute(statement.values(name=name, updated_at=utc_now()))
    return get(conn, server_id, project_id)


def add_fault(
    conn: Connection, server_id: str, operation_id: str | None, code: int, message: str, details: str | None
) -> None:
    """Say why, where clients see it."""
    conn.execute(
        insert(_FAULT).values(
            server_id=server_id,
            operation_id=operation_id,
            code=code,
            message=message,
            details=details,
            created_at=utc_now(),
        )
    )


def failed_builds(conn: Connection, host_id: int) -> list[Row[Any]]:
    """The servers of a host whose build has failed, and of which something may still lie there: id, sequence."""
    failed = (_SERVER.c.vm_state == states.ERROR, _SERVER.c.operation_id.is_(None), _SERVER.c.launched_at.is_(None))
    return list(
        conn.execute(
            select(_SERVER.c.id, _SERVER.c.sequence).where(
                _SERVER.c.host_id == host_id, _SERVER.c.deleted.is_(False), *failed
            )
        )
    )


def on_host(conn: Connection, host_id: int) -> list[Row[Any]]:
    """The servers of a host that are not deleted: id, sequence, vm_state, operation_id, launched_at, power_state."""
    columns = ('id', 'sequence', 'vm_state', 'operation_id', 'launched_at', 'power_state')
    return list(
        conn.execute(
            select(*(_SERVER.c[name] for name in columns)).where(
                _SERVER.c.host_id == host_id, _SERVER.c.deleted.is_(False)
            )
        )
    )
