"""Operations and their steps, as os-instance-actions shows them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import to_text
from cloudplane.conductor.db.insert import insert_rows
from cloudplane.objects.operation import EventRecord, OperationRecord, StepRecord

_OPERATION = models.table(models.Operation)
_HOST = models.table(models.Host)
_EVENT = models.table(models.Event)


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


def of_server(conn: Connection, server_id: str, request_id: str | None = None) -> list[OperationRecord]:
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
