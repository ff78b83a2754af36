"""Queries that only the audit asks."""

from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

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
