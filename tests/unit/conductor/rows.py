"""The database behind a conductor, as tests look at it and change it behind its back."""

from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update

from cloudplane.conductor import audit
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.session import Database
from cloudplane.objects.operation import Difference


class Host(msgspec.Struct, frozen=True):
    """A registered host, as its agent sees it."""

    id: int
    name: str
    epoch: int


class Rows:
    """What is in the database. Operations are named by their server; hosts by their names."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def server(self, server_id: str) -> Row[Any]:
        """The row of a server, deleted or not."""
        return self.rows(models.Server, id=server_id)[0]

    def operation(self, server_id: str) -> Row[Any]:
        """The newest operation of a server."""
        return max(self.rows(models.Operation, server_id=server_id), key=lambda row: int(row.sequence))

    def operation_of(self, operation_id: str) -> Row[Any]:
        """The row of an operation."""
        return self.rows(models.Operation, id=operation_id)[0]

    def wait_s(self, server_id: str) -> float:
        """Seconds until the reconciler looks at the newest operation."""
        table = models.table(models.Operation)
        statement = select(table.c.next_run_at, utc_now().label('now')).where(
            table.c.id == self.operation(server_id).id
        )
        row = self.database.read(lambda conn: conn.execute(statement).one())
        return float((row.next_run_at - row.now).total_seconds())

    def host_row(self, name: str) -> Row[Any]:
        """The row of a host."""
        return self.rows(models.Host, name=name)[0]

    def named(self, name: str) -> Host:
        """A host by its name."""
        row = self.host_row(name)
        return Host(row.id, row.name, row.epoch)

    def used(self, host: Host) -> tuple[int, int, int]:
        """What is used of a host: vCPUs, memory, disk."""
        row = self.host_row(host.name)
        return row.used_vcpus, row.used_memory_mb, row.used_disk_gb

    def usage(self, project_id: str = 'p1') -> tuple[int, int, int]:
        """What a project has of its quota: instances, cores, memory."""
        rows = self.rows(models.ProjectUsage, project_id=project_id)
        return (rows[0].instances, rows[0].cores, rows[0].ram_mb) if rows else (0, 0, 0)

    def residues(self, host: Host) -> dict[str, int]:
        """The residues of a host: server id -> sequence."""
        return {row.server_id: row.sequence for row in self.rows(models.Residue, host_id=host.id)}

    def fault(self, server_id: str) -> str:
        """The newest fault of a server."""
        return str(self.rows(models.Fault, server_id=server_id)[-1].message)

    def rows(self, model: type[models.Base], **equal: Any) -> list[Row[Any]]:
        """The rows of a table that have these values."""
        table = models.table(model)
        statement = select(table).where(*(table.c[name] == value for name, value in equal.items()))
        return self.database.read(lambda conn: list(conn.execute(statement)))

    def change(self, model: type[models.Base], equal: dict[str, Any], values: dict[str, Any]) -> int:
        """Change rows behind the conductor's back; how many."""
        table = models.table(model)
        statement = update(table).where(*(table.c[name] == value for name, value in equal.items())).values(values)
        return self.database.write(lambda conn: conn.execute(statement).rowcount)

    def add(self, model: type[models.Base], **values: Any) -> None:
        """Add a row behind the conductor's back."""
        self.database.write(lambda conn: conn.execute(insert(models.table(model)).values(values)))

    def audit(self, *, repair: bool = False) -> tuple[Difference, ...]:
        """What the audit finds."""
        return audit.audit(self.database, repair=repair)

    def pass_s(self, seconds: float) -> None:
        """So much time passes: everything that is written is older, but somebody has looked a moment ago."""
        moments = {
            models.Operation: ('next_run_at', 'deadline_at', 'created_at'),
            models.Heartbeat: ('last_seen_at',),
            models.Tick: ('grace_until',),
            models.IdempotencyKey: ('expires_at',),
        }
        for model, columns in moments.items():
            key = list(models.table(model).primary_key.columns.keys())
            for row in self.rows(model):
                moved = {name: getattr(row, name) for name in columns if getattr(row, name)}
                values = {name: moment - timedelta(seconds=seconds) for name, moment in moved.items()}
                self.change(model, {name: getattr(row, name) for name in key}, values)
        self.change(models.Tick, {'id': 1}, {'last_tick_at': utc_now()})
