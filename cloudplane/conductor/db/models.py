"""The tables. Times are UTC without a zone, written by the database's clock. Memory in MiB, disk in GiB.

Columns that end in `_json` hold records as JSON text: they are read and written whole, and never searched.
"""

from datetime import datetime
from typing import cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# MySQL's DATETIME has whole seconds unless it is told otherwise; its TEXT ends at 64 KiB.
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Json = Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
# SQLite numbers rows by itself only for INTEGER.
RowId = BigInteger().with_variant(Integer, 'sqlite')

NAMING = {
    'ix': 'ix_%(table_name)s_%(column_0_N_name)s',
    'uq': 'uq_%(table_name)s_%(column_0_N_name)s',
    'ck': 'ck_%(table_name)s_%(constraint_name)s',
    'fk': 'fk_%(table_name)s_%(column_0_name)s',
    'pk': 'pk_%(table_name)s',
}


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can find them on each database."""

    metadata = MetaData(naming_convention=NAMING)


class Flavor(Base):
    """A size that servers come in."""

    __tablename__ = 'flavors'

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    flavor_id: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mb: Mapped[int] = mapped_column(Integer)
    record_json: Mapped[str] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Keypair(Base):
    """A public key of a user."""

    __tablename__ = 'keypairs'

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    public_key: Mapped[str] = mapped_column(Json)
    fingerprint: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Service(Base):
    """A daemon. Whether it lives is said by its heartbeat."""

    __tablename__ = 'services'
    __table_args__ = (UniqueConstraint('binary', 'host'),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    binary: Mapped[str] = mapped_column(String(64))
    host: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Heartbeat(Base):
    """When a daemon was last heard of. Apart from `hosts`: batched there, heartbeats deadlock with claims."""

    __tablename__ = 'heartbeats'

    service_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    last_seen_at: Mapped[datetime] = mapped_column(Moment)


class Host(Base):
    """A compute host. Limits are integers worked out beforehand: floats disagree between databases."""

    __tablename__ = 'hosts'

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    service_id: Mapped[str] = mapped_column(ForeignKey('services.id'), index=True)
    zone: Mapped[str] = mapped_column(String(255))
    inventory_json: Mapped[str] = mapped_column(Json)
    generation: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(Integer)
    up: Mapped[bool] = mapped_column(Boolean)
    disabled: Mapped[bool] = mapped_column(Boolean)
    disabled_reason: Mapped[str | None] = mapped_column(String(255))
    forced_down: Mapped[bool] = mapped_column(Boolean)
    limit_vcpus: Mapped[int] = mapped_column(Integer)
    limit_memory_mb: Mapped[int] = mapped_column(Integer)
    limit_disk_gb: Mapped[int] = mapped_column(Integer)
    used_vcpus: Mapped[int] = mapped_column(Integer)
    used_memory_mb: Mapped[int] = mapped_column(Integer)
    used_disk_gb: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Server(Base):
    """A server. `operation_id` is its one active operation; NULL: it rests."""

    __tablename__ = 'servers'
    __table_args__ = (
        Index('ix_servers_project_page', 'project_id', 'deleted', 'created_at', 'id'),
        Index('ix_servers_page', 'deleted', 'created_at', 'id'),
        Index('ix_servers_host', 'host_id', 'deleted'),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    hostname: Mapped[str] = mapped_column(String(255))
    vm_state: Mapped[str] = mapped_column(String(32))
    task_state: Mapped[str | None] = mapped_column(String(64))
    power_state: Mapped[int] = mapped_column(Integer)
    sequence: Mapped[int] = mapped_column(Integer)
    operation_id: Mapped[str | None] = mapped_column(String(36))
    host_id: Mapped[int | None] = mapped_column(ForeignKey('hosts.id'))
    flavor_id: Mapped[str] = mapped_column(String(255))
    flavor_json: Mapped[str] = mapped_column(Json)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mb: Mapped[int] = mapped_column(Integer)
    disk_gb: Mapped[int] = mapped_column(Integer)
    image_id: Mapped[str | None] = mapped_column(String(36))
    key_name: Mapped[str | None] = mapped_column(String(255))
    availability_zone: Mapped[str | None] = mapped_column(String(255))
    reservation_id: Mapped[str] = mapped_column(String(64))
    launch_index: Mapped[int] = mapped_column(Integer)
    user_data: Mapped[str | None] = mapped_column(Json)
    metadata_json: Mapped[str] = mapped_column(Json)
    addresses_json: Mapped[str] = mapped_column(Json)
    options_json: Mapped[str] = mapped_column(Json)  # config drive, disk config, access addresses
    deleted: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime | None] = mapped_column(Moment)
    launched_at: Mapped[datetime | None] = mapped_column(Moment)
    terminated_at: Mapped[datetime | None] = mapped_column(Moment)


class Operation(Base):
    """One thing to do to one server. `next_run_at` is when the reconciler looks at it; NULL: it has ended."""

    __tablename__ = 'operations'
    __table_args__ = (
        UniqueConstraint('server_id', 'sequence'),
        Index('ix_operations_host', 'host_id', 'next_run_at'),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    server_id: Mapped[str] = mapped_column(ForeignKey('servers.id'))
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    sequence: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    tries: Mapped[int] = mapped_column(Integer)
    host_id: Mapped[int | None] = mapped_column(ForeignKey('hosts.id'))
    request_id: Mapped[str] = mapped_column(String(64))
    project_id: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[str] = mapped_column(String(255))
    params_json: Mapped[str] = mapped_column(Json)
    excluded_json: Mapped[str] = mapped_column(Json)  # ids of hosts on which a build has failed
    decision_json: Mapped[str | None] = mapped_column(Json)
    vm_state: Mapped[str] = mapped_column(String(32))  # the server's when this was accepted
    message: Mapped[str | None] = mapped_column(Text)  # the last error
    next_run_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    deadline_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class Allocation(Base):
    """What a server takes of a host. Role `target` is for moves, which hold both."""

    __tablename__ = 'allocations'

    server_id: Mapped[str] = mapped_column(ForeignKey('servers.id'), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    host_id: Mapped[int] = mapped_column(ForeignKey('hosts.id'), index=True)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mb: Mapped[int] = mapped_column(Integer)
    disk_gb: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Residue(Base):
    """A guest may still lie on a host from which its server has gone; keeps the amounts of its allocation."""

    __tablename__ = 'residues'

    host_id: Mapped[int] = mapped_column(ForeignKey('hosts.id'), primary_key=True)
    server_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sequence: Mapped[int] = mapped_column(Integer)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mb: Mapped[int] = mapped_column(Integer)
    disk_gb: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ProjectUsage(Base):
    """What a project has in use of its quota: counters, changed where servers come and go."""

    __tablename__ = 'project_usage'

    project_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    instances: Mapped[int] = mapped_column(Integer)
    cores: Mapped[int] = mapped_column(Integer)
    ram_mb: Mapped[int] = mapped_column(Integer)


class Fault(Base):
    """Why something went wrong with a server, in words."""

    __tablename__ = 'faults'

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    server_id: Mapped[str] = mapped_column(ForeignKey('servers.id'), index=True)
    operation_id: Mapped[str | None] = mapped_column(String(36))
    code: Mapped[int] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(Text)
    details: Mapped[str | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Event(Base):
    """A step of an operation, as os-instance-actions shows it."""

    __tablename__ = 'events'

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey('operations.id'), index=True)
    name: Mapped[str] = mapped_column(String(64))
    host: Mapped[str | None] = mapped_column(String(255))
    attempt: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    result: Mapped[str | None] = mapped_column(String(32))
    details: Mapped[str | None] = mapped_column(Json)


class IdempotencyKey(Base):
    """The answer to a request that came with an Idempotency-Key. Only successes are kept."""

    __tablename__ = 'idempotency_keys'

    project_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(128))
    answer: Mapped[str | None] = mapped_column(Json)  # encrypted: it may hold a password
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class Tick(Base):
    """One row: when a conductor last looked, and until when nothing expires because nobody had looked."""

    __tablename__ = 'ticks'

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last_tick_at: Mapped[datetime] = mapped_column(Moment)
    grace_until: Mapped[datetime] = mapped_column(Moment)
    gap_s: Mapped[float] = mapped_column(Float)  # between the last two ticks, for people


def table(model: type[Base]) -> Table:
    """The table of a model, for statements."""
    return cast(Table, model.__table__)
