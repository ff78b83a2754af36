"""What the accept transaction reads of a server, and the row of a new operation."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from cloudplane import states
from cloudplane.conductor.db import models, servers
from cloudplane.conductor.db.clock import UtcNow, utc_now
from cloudplane.conductor.db.operations import Params
from cloudplane.context import RequestContext

_SERVER = models.table(models.Server)
_OPERATION = models.table(models.Operation)
_ALLOCATION = models.table(models.Allocation)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The server that an operation is for, and what runs on it now."""

    id: str
    project_id: str
    vm_state: str
    task_state: str | None
    sequence: int
    host_id: int | None
    launched_at: datetime | None
    operation_id: str | None
    kind: str | None  # of the active operation
    state: str | None

    @property
    def untouched(self) -> bool:
        """Nothing of it can lie on any host: it has none, or its build has not begun there."""
        return self.host_id is None or (self.kind == states.BUILD and self.state == states.SCHEDULED)


def now() -> UtcNow:
    """The database's clock."""
    return utc_now()


def known_servers(conn: Connection, server_ids: list[str]) -> bool:
    """Whether these servers were made before: then this call is a repeated one."""
    counted = conn.execute(select(func.count()).select_from(_SERVER).where(_SERVER.c.id.in_(server_ids))).scalar_one()
    return counted > 0


def server(conn: Connection, server_id: str, project_id: str | None) -> Target:
    """The server with its active operation. Raises ServerNotFound."""
    columns = ('id', 'project_id', 'vm_state', 'task_state', 'sequence', 'host_id', 'launched_at', 'operation_id')
    statement = (
        select(*(_SERVER.c[name] for name in columns), _OPERATION.c.kind, _OPERATION.c.state)
        .outerjoin(_OPERATION, _OPERATION.c.id == _SERVER.c.operation_id)
        .where(_SERVER.c.id == server_id, _SERVER.c.deleted.is_(False))
    )
    if project_id is not None:
        statement = statement.where(_SERVER.c.project_id == project_id)
    row = conn.execute(statement).one_or_none()
    if row is None:
        raise servers.missing(server_id)
    return Target(**row._mapping)


def operation_row(
    *,
    operation_id: str,
    server_id: str,
    kind: str,
    state: str,
    sequence: int,
    host_id: int | None,
    ctxt: RequestContext,
    project_id: str,
    user_id: str,
    params: Params,
    vm_state: str,
    wake_up_s: float,
    deadline_s: float,
) -> dict[str, Any]:
    """A new operation; the reconciler looks at it when its first wake-up should have had an effect."""
    return {
        'id': operation_id,
        'server_id': server_id,
        'kind': kind,
        'state': state,
        'sequence': sequence,
        'attempt': 0,
        'tries': 0,
        'host_id': host_id,
        'request_id': ctxt.request_id,
        'project_id': project_id,
        'user_id': user_id,
        'params_json': servers.encode(params),
        'excluded_json': '[]',
        'vm_state': vm_state,
        'next_run_at': utc_now(min(wake_up_s, deadline_s)),
        'deadline_at': utc_now(deadline_s),
        'created_at': utc_now(),
    }
