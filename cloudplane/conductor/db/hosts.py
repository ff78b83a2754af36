"""Hosts, the daemons that report, and their heartbeats."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from cloudplane import exceptions
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import to_text, utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.objects.host import HostGeneration, HostInventory, HostRow
from cloudplane.objects.service import HostDetail, Service

_HOST = models.table(models.Host)
_SERVICE = models.table(models.Service)
_HEARTBEAT = models.table(models.Heartbeat)
_SERVER = models.table(models.Server)
_RESIDUE = models.table(models.Residue)
COMPUTE_BINARY = 'cloudplane-compute'


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions about a host need."""

    id: int
    name: str
    service_id: str
    epoch: int
    up: bool
    forced_down: bool
    inventory_json: str


def by_name(conn: Connection, name: str) -> HostState:
    """One host. Raises HostNotFound."""
    columns = [_HOST.c[field] for field in HostState.__struct_fields__]
    row = conn.execute(select(*columns).where(_HOST.c.name == name)).one_or_none()
    if row is None:
        raise exceptions.HostNotFound(f'Compute host {name} could not be found.')
    return HostState(**row._mapping)


def locked(conn: Connection, host_id: int) -> HostState:
    """One host, which this transaction holds until it ends. The last lock of a transition, before allocations."""
    columns = [_HOST.c[field] for field in HostState.__struct_fields__]
    # SQLite leaves FOR UPDATE out: a write transaction there is alone. key_share: see servers.lock.
    row = conn.execute(select(*columns).where(_HOST.c.id == host_id).with_for_update(key_share=True)).one()
    return HostState(**row._mapping)


def report(conn: Connection, binary: str, host: str) -> str:
    """A daemon has been heard of; the id of its service."""
    found = conn.execute(select(_SERVICE.c.id).where(_SERVICE.c.binary == binary, _SERVICE.c.host == host)).scalar()
    if found is None:
        row = {'id': str(uuid.uuid4()), 'binary': binary, 'host': host, 'created_at': utc_now()}
        insert_new(conn, models.Service, [row])
        found = conn.execute(
            select(_SERVICE.c.id).where(_SERVICE.c.binary == binary, _SERVICE.c.host == host)
        ).scalar_one()
    beat(conn, found)
    return str(found)


def beat(conn: Connection, service_id: str) -> None:
    """Write a heartbeat."""
    now = {'last_seen_at': utc_now()}
    if conn.execute(update(_HEARTBEAT).where(_HEARTBEAT.c.service_id == service_id).values(now)).rowcount == 0:
        insert_new(conn, models.Heartbeat, [{'service_id': service_id, **now}])


def register(conn: Connection, inventory: HostInventory) -> HostState:
    """Write down what a host has; makes the host when it is new. What is used stays as it is."""
    service_id = report(conn, COMPUTE_BINARY, inventory.host)
    facts = _facts(inventory)
    known = conn.execute(
        update(_HOST).where(_HOST.c.name == inventory.host).values(**facts, generation=_HOST.c.generation + 1)
    )
    if known.rowcount == 0:
        row = {
            'uuid': str(uuid.uuid4()),
            'name': inventory.host,
            'service_id': service_id,
            'generation': 1,
            'epoch': 1,
            'up': False,
            'disabled': False,
            'forced_down': False,
            'used_vcpus': 0,
            'used_memory_mb': 0,
            'used_disk_gb': 0,
            'created_at': utc_now(),
            **facts,
        }
        insert_new(conn, models.Host, [row])
    return by_name(conn, inventory.host)


def _facts(inventory: HostInventory) -> dict[str, Any]:
    def limit(total: int, reserved: int, ratio: float) -> int:
        return max(0, int(round((total - reserved) * ratio, 6)))  # 100 * 1.15 is 114.99999999999999

    return {
        'zone': inventory.zone,
        'inventory_json': msgspec.json.encode(inventory).decode(),
        'limit_vcpus': limit(inventory.vcpus, inventory.reserved_vcpus, inventory.vcpu_ratio),
        'limit_memory_mb': limit(inventory.memory_mb, inventory.reserved_memory_mb, inventory.memory_ratio),
        'limit_disk_gb': limit(inventory.disk_gb, inventory.reserved_disk_gb, inventory.disk_ratio),
    }


def set_up(conn: Connection, host_id: int, up: bool) -> bool:
    """Note that a host is up (never one that is forced down) or down; whether that is news."""
    allowed = [_HOST.c.forced_down.is_(False)] if up else []
    changed = conn.execute(
        update(_HOST)
        .where(_HOST.c.id == host_id, _HOST.c.up.is_(not up), *allowed)
        .values(up=up, generation=_HOST.c.generation + 1)
    )
    return changed.rowcount == 1


def change(conn: Connection, host_id: int, values: dict[str, Any]) -> None:
    """Change what the operator decides about a host."""
    conn.execute(update(_HOST).where(_HOST.c.id == host_id).values(**values, generation=_HOST.c.generation + 1))


def raise_epoch(conn: Connection, host_id: int) -> None:
    """Whatever an agent of this host says from now on in the old epoch is refused."""
    change(conn, host_id, {'epoch': _HOST.c.epoch + 1, 'forced_down': True, 'up': False})


def set_up_if_clean(conn: Connection, host_id: int) -> bool:
    """Note that a host is up, unless something may still lie there or it is forced down; whether that is news."""
    locked(conn, host_id)  # first: whoever strands something there holds the host as well
    dirty = conn.execute(select(_RESIDUE.c.server_id).where(_RESIDUE.c.host_id == host_id).limit(1)).first()
    return dirty is None and set_up(conn, host_id, True)


def silent(conn: Connection, down_s: float) -> dict[int, datetime]:
    """Hosts that are up and have not been heard of for `down_s`, with the time of their last heartbeat."""
    rows = conn.execute(
        select(_HOST.c.id, _HEARTBEAT.c.last_seen_at)
        .join(_HEARTBEAT, _HEARTBEAT.c.service_id == _HOST.c.service_id)
        .where(_HOST.c.up.is_(True), _HEARTBEAT.c.last_seen_at < utc_now(-down_s))
    )
    return {row.id: row.last_seen_at for row in rows}


def usable(conn: Connection, host_ids: Collection[int]) -> list[int]:
    """Those of these hosts that are up and take new servers."""
    chosen = select(_HOST.c.id).where(_HOST.c.id.in_(host_ids), _HOST.c.up.is_(True), _HOST.c.disabled.is_(False))
    return [row.id for row in conn.execute(chosen)]


def count_up(conn: Connection) -> int:
    """How many hosts are up."""
    return conn.execute(select(func.count()).select_from(_HOST).where(_HOST.c.up.is_(True))).scalar_one()


_ROW_COLUMNS = [_HOST.c[name] for name in HostRow.__struct_fields__ if name in _HOST.c]


def rows(conn: Connection, host_ids: Collection[int] | None = None) -> tuple[HostRow, ...]:
    """Hosts as the scheduler needs them; None: all."""
    statement = select(*_ROW_COLUMNS, _HOST.c.inventory_json).order_by(_HOST.c.id)
    if host_ids is not None:
        statement = statement.where(_HOST.c.id.in_(host_ids))
    found = []
    for row in conn.execute(statement):
        inventory = msgspec.json.decode(row.inventory_json, type=HostInventory)
        fields = {column.name: getattr(row, column.name) for column in _ROW_COLUMNS}
        found.append(HostRow(**fields, hypervisor_type=inventory.hypervisor_type, architecture=inventory.architecture))
    return tuple(found)


def generations(conn: Connection) -> tuple[HostGeneration, ...]:
    """(id, generation) of every host."""
    found = conn.execute(select(_HOST.c.id, _HOST.c.generation).order_by(_HOST.c.id))
    return tuple(HostGeneration(id=row.id, generation=row.generation) for row in found)


def details(conn: Connection) -> tuple[HostDetail, ...]:
    """Hosts as operators see them."""
    guests = (
        select(func.count())
        .select_from(_SERVER)
        .where(_SERVER.c.host_id == _HOST.c.id, _SERVER.c.deleted.is_(False))
        .scalar_subquery()
    )
    found = conn.execute(select(_HOST, guests.label('running_guests')).order_by(_HOST.c.id))
    return tuple(_detail(row) for row in found)


def _detail(row: Row[Any]) -> HostDetail:
    inventory = msgspec.json.decode(row.inventory_json, type=HostInventory)
    same = ('hypervisor_hostname', 'hypervisor_type', 'hypervisor_version', 'host_ip', 'cpu_info')
    kept = ('id', 'uuid', 'name', 'zone', 'up', 'disabled', 'disabled_reason', 'forced_down', 'epoch', 'service_id')
    used = ('used_vcpus', 'used_memory_mb', 'used_disk_gb', 'running_guests')
    return HostDetail(
        **{name: getattr(inventory, name) for name in same},
        **{name: getattr(row, name) for name in (*kept, *used)},
        total_vcpus=inventory.vcpus,
        total_memory_mb=inventory.memory_mb,
        total_disk_gb=inventory.disk_gb,
        reserved_memory_mb=inventory.reserved_memory_mb,
        reserved_disk_gb=inventory.reserved_disk_gb,
    )


def services(conn: Connection, down_s: float) -> tuple[Service, ...]:
    """All daemons; one is up if it was heard of within `down_s`, and a compute host also if nobody says otherwise."""
    fresh: ColumnElement[bool] = _HEARTBEAT.c.last_seen_at >= utc_now(-down_s)
    found = conn.execute(
        select(
            _SERVICE,
            _HEARTBEAT.c.last_seen_at,
            fresh.label('fresh'),
            _HOST.c.zone,
            _HOST.c.up,
            _HOST.c.disabled,
            _HOST.c.disabled_reason,
            _HOST.c.forced_down,
        )
        .outerjoin(_HEARTBEAT, _HEARTBEAT.c.service_id == _SERVICE.c.id)
        .outerjoin(_HOST, _HOST.c.service_id == _SERVICE.c.id)
        .order_by(_SERVICE.c.binary, _SERVICE.c.host)
    )
    return tuple(
        Service(
            id=row.id,
            binary=row.binary,
            host=row.host,
            zone=row.zone or 'internal',
            disabled=bool(row.disabled),
            disabled_reason=row.disabled_reason,
            forced_down=bool(row.forced_down),
            up=bool(row.fresh) and row.up is not False and not row.forced_down,
            updated_at=to_text(row.last_seen_at),
        )
        for row in found
    )


def correct_used(conn: Connection, host_id: int, amounts: dict[str, int]) -> None:
    """Set what is used to what was counted."""
    change(conn, host_id, {f'used_{name}': amount for name, amount in amounts.items()})


def forget_future(conn: Connection) -> None:
    """The clock went back: what was heard later than now was heard now."""
    conn.execute(update(_HEARTBEAT).where(_HEARTBEAT.c.last_seen_at > utc_now()).values(last_seen_at=utc_now()))
