"""Operations in the database: every move is a compare-and-set, in the transaction that makes it true."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, case, func, select, update

from cloudplane import states
from cloudplane.conductor.db import models, servers
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_rows
from cloudplane.conductor.db.session import Raced

_OPERATION = models.table(models.Operation)
_SERVER = models.table(models.Server)
_HOST = models.table(models.Host)
_EVENT = models.table(models.Event)


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation needs beyond its columns."""

    public_key: str | None = None
    networks: str = 'auto'
    admin_pass: str | None = None  # encrypted; goes when the operation ends
    image_properties: dict[str, str] = {}
    scheduler_hints: dict[str, Any] = {}
    image_id: str | None = None  # snapshot: the image to be made
    image_name: str | None = None
    refused: tuple[int, ...] = ()  # hosts that were full when a claim tried them, in this round


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """An operation with its server, as a transition needs them."""

    id: str
    server_id: str
    kind: str
    state: str
    sequence: int
    attempt: int
    tries: int
    host_id: int | None
    request_id: str
    project_id: str
    user_id: str
    params: Params
    excluded: tuple[int, ...]
    vm_state: str  # the server's when the operation was accepted
    message: str | None
    next_run_at: datetime | None
    remaining_s: float
    host: str | None
    host_up: bool
    host_forced_down: bool
    host_epoch: int
    server: Row[Any]

    @property
    def move(self) -> states.Move:
        """The row of the state machine."""
        return states.MOVES[self.kind]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in states.ENDED_OPERATION

    @property
    def current(self) -> bool:
        """Whether it is its server's active operation."""
        return bool(self.server.operation_id == self.id)


_OWN = (
    'id', 'server_id', 'kind', 'state', 'sequence', 'attempt', 'tries', 'host_id', 'request_id', 'project_id',
    'user_id', 'vm_state', 'message', 'next_run_at',
)  # fmt: skip
_SERVER_COLUMNS = [_SERVER.c[column.name].label(f'of_server_{column.name}') for column in _SERVER.c]


class _ServerPart:
    """The columns of the server in a joined row, by their own names."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f'of_server_{name}')


# Made once: SQLAlchemy takes longer to put so wide a statement together than SQLite to run it.
_SELECT = (
    select(
        _OPERATION,
        utc_now().label('now'),
        _HOST.c.name.label('host'),
        _HOST.c.up.label('host_up'),
        _HOST.c.forced_down.label('host_forced_down'),
        _HOST.c.epoch.label('host_epoch'),
        *_SERVER_COLUMNS,
    )
    .join(_SERVER, _SERVER.c.id == _OPERATION.c.server_id)
    .outerjoin(_HOST, _HOST.c.id == _OPERATION.c.host_id)
)
_SELECT_ONE = _SELECT.where(_OPERATION.c.id == bindparam('wanted_id'))


def _active(row: Row[Any]) -> Active:
    return Active(
        **{name: getattr(row, name) for name in _OWN},
        params=msgspec.json.decode(row.params_json, type=Params),
        excluded=msgspec.json.decode(row.excluded_json, type=tuple[int, ...]),
        remaining_s=(row.deadline_at - row.now).total_seconds(),
        host=row.host,
        host_up=bool(row.host_up),
        host_forced_down=bool(row.host_forced_down),
        host_epoch=row.host_epoch or 0,
        server=_ServerPart(row),  # type: ignore[arg-type]  # it reads like the row that it wraps
    )


def get(conn: Connection, operation_id: str) -> Active | None:
    """One operation with its server."""
    row = conn.execute(_SELECT_ONE, {'wanted_id': operation_id}).one_or_none()
    return None if row is None else _active(row)


def locked(conn: Connection, server_id: str, operation_id: str) -> Active | None:
    """One operation, while this transaction holds its server; None if that server has no such operation."""
    servers.lock(conn, server_id)
    operation = get(conn, operation_id)
    return operation if operation is not None and operation.server_id == server_id else None


def get_many(conn: Connection, operation_ids: list[str]) -> dict[str, Active]:
    """Operations with their servers, by id."""
    rows = conn.execute(_SELECT.where(_OPERATION.c.id.in_(operation_ids)))
    return {row.id: _active(row) for row in rows}


def due(conn: Connection, rows: int) -> list[Active]:
    """What the reconciler should look at: the oldest first."""
    statement = _SELECT.where(_OPERATION.c.next_run_at <= utc_now()).order_by(_OPERATION.c.next_run_at).limit(rows)
    return [_active(row) for row in conn.execute(statement)]


def of_host(conn: Connection, host: str) -> list[Active]:
    """The operations of a host that have not ended."""
    statement = _SELECT.where(_HOST.c.name == host, _OPERATION.c.next_run_at.is_not(None))
    return [_active(row) for row in conn.execute(statement.order_by(_OPERATION.c.created_at, _OPERATION.c.id))]


def count_active(conn: Connection) -> int:
    """How many operations have not ended."""
    counted = select(func.count()).select_from(_OPERATION).where(_OPERATION.c.next_run_at.is_not(None))
    return conn.execute(counted).scalar_one()


def add(conn: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert accepted operations."""
    insert_rows(conn, _OPERATION, rows)


def move(conn: Connection, operation: Active, event: str, values: dict[str, Any] | None = None) -> None:
    """Move an operation by an event of the state table. Raises Raced if it is no longer as it was read."""
    state = states.next_state(operation.state, event)
    changes: dict[str, Any] = {'state': state, **(values or {})}
    if state in states.ENDED_OPERATION:
        # Secrets go with the work that needed them.
        params = msgspec.structs.replace(operation.params, admin_pass=None)
        changes |= {'next_run_at': None, 'finished_at': utc_now(), 'params_json': msgspec.json.encode(params).decode()}
    changed = conn.execute(
        update(_OPERATION)
        .where(
            _OPERATION.c.id == operation.id,
            _OPERATION.c.state == operation.state,
            _OPERATION.c.attempt == operation.attempt,
        )
        .values(changes)
    )
    if changed.rowcount != 1:
        raise Raced


def take(conn: Connection, operation: Active, values: dict[str, Any]) -> bool:
    """Take an operation up on behalf of this conductor: False if another one was first."""
    taken = conn.execute(
        update(_OPERATION)
        .where(
            _OPERATION.c.id == operation.id,
            _OPERATION.c.next_run_at == operation.next_run_at,
            _OPERATION.c.state == operation.state,
            _OPERATION.c.attempt == operation.attempt,
        )
        .values(values)
    )
    return taken.rowcount == 1


def host_name(conn: Connection, host_id: int) -> str:
    """The name of a host, to which an order is sent."""
    return str(conn.execute(select(_HOST.c.name).where(_HOST.c.id == host_id)).scalar_one())


def note_decision(conn: Connection, operation_id: str, decision_json: str) -> None:
    """Keep why a server was placed where it was, or nowhere."""
    conn.execute(update(_OPERATION).where(_OPERATION.c.id == operation_id).values(decision_json=decision_json))


def renew(conn: Connection, host_id: int, operation_ids: list[str], lease_s: float) -> None:
    """Leave these operations alone for another lease (but not beyond their deadline): the host's agent holds them."""
    lease = utc_now(lease_s)
    conn.execute(
        update(_OPERATION)
        .where(
            _OPERATION.c.id.in_(operation_ids),
            _OPERATION.c.host_id == host_id,
            _OPERATION.c.next_run_at.is_not(None),
        )
        .values(next_run_at=case((_OPERATION.c.deadline_at < lease, _OPERATION.c.deadline_at), else_=lease), tries=0)
    )


def forget_future(conn: Connection, longest_wait_s: float, deadlines_s: Mapping[str, float]) -> None:
    """The clock went back: nothing waits longer than it would if it had been written now."""
    latest = utc_now(longest_wait_s)
    conn.execute(update(_OPERATION).where(_OPERATION.c.next_run_at > latest).values(next_run_at=latest))
    for kind, deadline_s in deadlines_s.items():
        late = (_OPERATION.c.kind == kind, _OPERATION.c.deadline_at > utc_now(deadline_s))
        conn.execute(
            update(_OPERATION)
            .where(_OPERATION.c.next_run_at.is_not(None), *late)
            .values(deadline_at=utc_now(deadline_s))
        )
