"""Operations in the database: every move is a compare-and-set, in the transaction that makes it true."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, case, func, or_, select, update

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import to_text, utc_now
from cloudplane.conductor.db.insert import insert_rows
from cloudplane.conductor.db.session import Raced
from cloudplane.objects.operation import EventRecord, OperationRecord, StepRecord

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


def _select() -> Any:
    return (
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
    row = conn.execute(_select().where(_OPERATION.c.id == operation_id)).one_or_none()
    return None if row is None else _active(row)


def get_many(conn: Connection, operation_ids: list[str]) -> dict[str, Active]:
    """Operations with their servers, by id."""
    rows = conn.execute(_select().where(_OPERATION.c.id.in_(operation_ids)))
    return {row.id: _active(row) for row in rows}


def due(conn: Connection, rows: int) -> list[Active]:
    """What the reconciler should look at: the oldest first."""
    statement = _select().where(_OPERATION.c.next_run_at <= utc_now()).order_by(_OPERATION.c.next_run_at).limit(rows)
    return [_active(row) for row in conn.execute(statement)]


def of_host(conn: Connection, host_id: int) -> list[Active]:
    """The operations of a host that have not ended."""
    statement = _select().where(_OPERATION.c.host_id == host_id, _OPERATION.c.next_run_at.is_not(None))
    return [_active(row) for row in conn.execute(statement.order_by(_OPERATION.c.created_at))]


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


def supersede(conn: Connection, operation_id: str) -> None:
    """End what a newer operation replaces."""
    conn.execute(
        update(_OPERATION)
        .where(_OPERATION.c.id == operation_id, _OPERATION.c.state.in_(states.ACTIVE_OPERATION))
        .values(state=states.SUPERSEDED, next_run_at=None, finished_at=utc_now())
    )


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


def renew(conn: Connection, operation_ids: list[str], lease_s: float) -> None:
    """Leave these operations alone for another lease (but not beyond their deadline): their agent holds them."""
    lease = utc_now(lease_s)
    conn.execute(
        update(_OPERATION)
        .where(_OPERATION.c.id.in_(operation_ids), _OPERATION.c.next_run_at.is_not(None))
        .values(next_run_at=case((_OPERATION.c.deadline_at < lease, _OPERATION.c.deadline_at), else_=lease), tries=0)
    )


def add_steps(
    conn: Connection, operation_id: str, host: str | None, attempt: int, steps: tuple[StepRecord, ...]
) -> None:
    """Keep the steps of an operation."""
    rows = [
        {
            'operation_id': operation_id,
            'name': step.name,
            'host': host,
            'attempt': attempt,
            'started_at': datetime.fromisoformat(step.started_at),
            'finished_at': datetime.fromisoformat(step.finished_at) if step.finished_at else None,
            'result': step.result,
            'details': step.details,
        }
        for step in steps
    ]
    if rows:
        insert_rows(conn, _EVENT, rows)


def _record(row: Row[Any], steps: tuple[EventRecord, ...] = ()) -> OperationRecord:
    same = ('id', 'server_id', 'kind', 'state', 'sequence', 'attempt', 'request_id', 'project_id', 'user_id')
    return OperationRecord(
        **{name: getattr(row, name) for name in same},
        action=states.MOVES[row.kind].action,
        host=row.host,
        message=row.message,
        started_at=to_text(row.created_at) or '',
        finished_at=to_text(row.finished_at),
        steps=steps,
    )


def history(conn: Connection, server_id: str, request_id: str | None = None) -> list[OperationRecord]:
    """The operations of a server, newest first; with steps if one request was asked for."""
    statement = (
        select(_OPERATION, _HOST.c.name.label('host'))
        .outerjoin(_HOST, _HOST.c.id == _OPERATION.c.host_id)
        .where(_OPERATION.c.server_id == server_id)
        .order_by(_OPERATION.c.sequence.desc())
    )
    if request_id is None:
        return [_record(row) for row in conn.execute(statement)]
    rows = conn.execute(statement.where(_OPERATION.c.request_id == request_id)).all()
    return [_record(row, _steps(conn, row.id)) for row in rows]


def _steps(conn: Connection, operation_id: str) -> tuple[EventRecord, ...]:
    rows = conn.execute(select(_EVENT).where(_EVENT.c.operation_id == operation_id).order_by(_EVENT.c.id))
    return tuple(
        EventRecord(
            name=row.name,
            host=row.host,
            attempt=row.attempt,
            started_at=to_text(row.started_at) or '',
            finished_at=to_text(row.finished_at),
            result=row.result,
            details=row.details,
        )
        for row in rows
    )


def misplaced(conn: Connection) -> list[Row[Any]]:
    """Servers and operations that do not point at each other, for the audit."""
    return list(
        conn.execute(
            select(
                _SERVER.c.id.label('server_id'),
                _SERVER.c.operation_id,
                _SERVER.c.task_state,
                _OPERATION.c.id.label('found'),
                _OPERATION.c.state,
            )
            .outerjoin(_OPERATION, _OPERATION.c.id == _SERVER.c.operation_id)
            .where(
                or_(
                    # an active operation that has ended, or a transitional state that nobody works on
                    _SERVER.c.operation_id.is_not(None)
                    & (_OPERATION.c.id.is_(None) | _OPERATION.c.state.in_(states.ENDED_OPERATION)),
                    _SERVER.c.operation_id.is_(None) & _SERVER.c.task_state.is_not(None),
                )
            )
        )
    )


def orphaned(conn: Connection) -> list[Row[Any]]:
    """Active operations that are not their server's active one, for the audit."""
    return list(
        conn.execute(
            select(_OPERATION.c.id, _OPERATION.c.server_id, _OPERATION.c.state, _SERVER.c.operation_id)
            .join(_SERVER, _SERVER.c.id == _OPERATION.c.server_id)
            .where(
                _OPERATION.c.state.in_(states.ACTIVE_OPERATION),
                or_(_SERVER.c.operation_id.is_(None), _SERVER.c.operation_id != _OPERATION.c.id),
            )
        )
    )
