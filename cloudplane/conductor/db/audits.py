"""Queries that only the audit asks."""

from typing import Any

from sqlalchemy import Connection, Row, and_, case, or_, select, update

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.allocations import CURRENT
from cloudplane.conductor.db.clock import utc_now

_SERVER = models.table(models.Server)
_OPERATION = models.table(models.Operation)
_ALLOCATION = models.table(models.Allocation)
LATE_S = 60.0  # after a deadline: by then a conductor should have ended it


def overdue(conn: Connection) -> list[Row[Any]]:
    """Operations that have not ended although their deadline is long over."""
    columns = (_OPERATION.c.id, _OPERATION.c.server_id, _OPERATION.c.kind, _OPERATION.c.state)
    late = and_(_OPERATION.c.next_run_at.is_not(None), _OPERATION.c.deadline_at < utc_now(-LATE_S))
    return list(conn.execute(select(*columns).where(late)))


def misallocated(conn: Connection) -> list[Row[Any]]:
    """Servers whose host and allocation disagree: id, host_id, allocated (the allocation's host)."""
    joined = _SERVER.outerjoin(
        _ALLOCATION, and_(_ALLOCATION.c.server_id == _SERVER.c.id, _ALLOCATION.c.role == CURRENT)
    )
    differ = or_(
        and_(_SERVER.c.host_id.is_(None), _ALLOCATION.c.host_id.is_not(None)),
        and_(_SERVER.c.host_id.is_not(None), _ALLOCATION.c.host_id.is_(None)),
        _SERVER.c.host_id != _ALLOCATION.c.host_id,
    )
    columns = (_SERVER.c.id, _SERVER.c.host_id, _ALLOCATION.c.host_id.label('allocated'))
    return list(conn.execute(select(*columns).select_from(joined).where(_SERVER.c.deleted.is_(False), differ)))


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


def abandoned(conn: Connection) -> list[Row[Any]]:
    """Servers that are being built by nobody."""
    return list(
        conn.execute(
            select(_SERVER.c.id).where(
                _SERVER.c.vm_state == states.BUILDING, _SERVER.c.operation_id.is_(None), _SERVER.c.deleted.is_(False)
            )
        )
    )


def unscheduled(conn: Connection) -> list[Row[Any]]:
    """Active operations at which no conductor would ever look, and ended ones at which one would for ever."""
    active = _OPERATION.c.state.in_(states.ACTIVE_OPERATION)
    return list(
        conn.execute(
            select(_OPERATION.c.id, _OPERATION.c.state, _OPERATION.c.next_run_at).where(
                or_(
                    and_(active, _OPERATION.c.next_run_at.is_(None)),
                    and_(~active, _OPERATION.c.next_run_at.is_not(None)),
                )
            )
        )
    )


def reschedule(conn: Connection, operation_id: str) -> None:
    """Have an operation looked at if it is active, and not if it has ended."""
    active = _OPERATION.c.state.in_(states.ACTIVE_OPERATION)
    conn.execute(
        update(_OPERATION).where(_OPERATION.c.id == operation_id).values(next_run_at=case((active, utc_now())))
    )


def supersede(conn: Connection, operation_id: str) -> None:
    """End an operation that its server knows nothing of."""
    conn.execute(
        update(_OPERATION)
        .where(_OPERATION.c.id == operation_id, _OPERATION.c.state.in_(states.ACTIVE_OPERATION))
        .values(state=states.SUPERSEDED, next_run_at=None, finished_at=utc_now())
    )
