"""Quota counters of projects. Not COUNT(*): that races on MySQL and PostgreSQL, and grows with the project."""

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from cloudplane import exceptions
from cloudplane.conductor.db import models
from cloudplane.conductor.db.insert import insert_new

_TABLE = models.table(models.ProjectUsage)


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Servers, vCPUs and memory (MiB) that are taken or given back together."""

    instances: int
    cores: int
    ram_mb: int


def take(conn: Connection, project_id: str, amounts: Amounts, limits: Amounts) -> None:
    """Count `amounts` in, if no limit (-1: none) is passed. Raises QuotaExceeded that names what and how much."""
    if _add(conn, project_id, amounts, limits):
        return
    _ensure(conn, project_id)
    if not _add(conn, project_id, amounts, limits):
        raise exceptions.QuotaExceeded(_refusal(conn, project_id, amounts, limits))


def give_back(conn: Connection, project_id: str, amounts: Amounts) -> None:
    """Count `amounts` out: in the transaction in which the server's row goes."""
    conn.execute(
        update(_TABLE)
        .where(_TABLE.c.project_id == project_id)
        .values({name: _TABLE.c[name] - amount for name, amount in msgspec.structs.asdict(amounts).items()})
    )


def _ensure(conn: Connection, project_id: str) -> None:
    insert_new(conn, models.ProjectUsage, [{'project_id': project_id, 'instances': 0, 'cores': 0, 'ram_mb': 0}])


def _add(conn: Connection, project_id: str, amounts: Amounts, limits: Amounts) -> bool:
    # UPDATE project_usage SET cores = cores + :n … WHERE project_id = :p AND cores + :n <= :limit …
    conditions: list[Any] = [_TABLE.c.project_id == project_id]
    values = {}
    for name, amount in msgspec.structs.asdict(amounts).items():
        values[name] = _TABLE.c[name] + amount
        if (limit := getattr(limits, name)) >= 0:
            conditions.append(_TABLE.c[name] + amount <= limit)
    return conn.execute(update(_TABLE).where(*conditions).values(values)).rowcount == 1


def _refusal(conn: Connection, project_id: str, amounts: Amounts, limits: Amounts) -> str:
    row = conn.execute(select(_TABLE).where(_TABLE.c.project_id == project_id)).one()
    over = [
        name
        for name in ('instances', 'cores', 'ram_mb')
        if 0 <= getattr(limits, name) < getattr(row, name) + getattr(amounts, name)
    ]
    shown = {'instances': 'instances', 'cores': 'cores', 'ram_mb': 'ram'}

    def each(source: Any) -> str:
        return ', '.join(str(getattr(source, name)) for name in over)

    return (
        f'Quota exceeded for {", ".join(shown[name] for name in over)}: Requested {each(amounts)}, '
        f'but already used {each(row)} of {each(limits)} {", ".join(shown[name] for name in over)}'
    )


def lock(conn: Connection, project_id: str) -> None:
    """Hold a project's counters: whoever changes them waits, and what was counted stays true."""
    _ensure(conn, project_id)
    conn.execute(select(_TABLE.c.project_id).where(_TABLE.c.project_id == project_id).with_for_update())


def counted(conn: Connection, project_id: str | None = None) -> dict[str, Amounts]:
    """What servers really add up to, of one project or of all, for the audit: project -> amounts."""
    server = models.table(models.Server)
    sums = select(
        server.c.project_id,
        func.count().label('instances'),
        func.sum(server.c.vcpus).label('cores'),
        func.sum(server.c.memory_mb).label('ram_mb'),
    ).where(server.c.deleted.is_(False))
    if project_id is not None:
        sums = sums.where(server.c.project_id == project_id)
    return {
        row.project_id: Amounts(instances=int(row.instances), cores=int(row.cores), ram_mb=int(row.ram_mb))
        for row in conn.execute(sums.group_by(server.c.project_id))
    }


def recorded(conn: Connection) -> dict[str, Amounts]:
    """The counters as they stand."""
    return {
        row.project_id: Amounts(instances=row.instances, cores=row.cores, ram_mb=row.ram_mb)
        for row in conn.execute(select(_TABLE))
    }


def correct(conn: Connection, project_id: str, amounts: Amounts) -> None:
    """Set the counters to what was counted."""
    conn.execute(update(_TABLE).where(_TABLE.c.project_id == project_id).values(**msgspec.structs.asdict(amounts)))
