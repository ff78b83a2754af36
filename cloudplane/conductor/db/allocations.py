"""Capacity: claims that cannot overcommit, their release, and the residues that take their amounts over."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from cloudplane.conductor.db import hosts, models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.conductor.db.session import Raced
from cloudplane.objects.operation import Residue

_HOST = models.table(models.Host)
_ALLOCATION = models.table(models.Allocation)
_RESIDUE = models.table(models.Residue)
AMOUNTS = ('vcpus', 'memory_mb', 'disk_gb')
CURRENT = 'current'


def claim(conn: Connection, server_id: str, host_id: int, amounts: dict[str, int]) -> bool:
    """Take the amounts of a host and note whose they are; False: it is full, down or disabled."""
    # UPDATE hosts SET used_vcpus = used_vcpus + :v … WHERE id = :h AND used_vcpus + :v <= limit_vcpus … AND up
    fits = [_HOST.c[f'used_{name}'] + amounts[name] <= _HOST.c[f'limit_{name}'] for name in AMOUNTS]
    usable = (_HOST.c.up.is_(True), _HOST.c.disabled.is_(False), _HOST.c.forced_down.is_(False))
    taken = conn.execute(update(_HOST).where(_HOST.c.id == host_id, *fits, *usable).values(_shifted(amounts, +1)))
    if taken.rowcount == 0:
        return False
    conn.execute(
        insert(_ALLOCATION).values(server_id=server_id, role=CURRENT, host_id=host_id, created_at=utc_now(), **amounts)
    )
    return True


def release(conn: Connection, server_id: str) -> int | None:
    """Give a server's amounts back to its host, exactly once; the host's id, or None if there was nothing."""
    found = _allocation(conn, server_id)
    if found is None or not _delete(conn, server_id):
        return None
    amounts = {name: getattr(found, name) for name in AMOUNTS}
    conn.execute(update(_HOST).where(_HOST.c.id == found.host_id).values(_shifted(amounts, -1)))
    return int(found.host_id)


def strand(conn: Connection, server_id: str, sequence: int) -> int | None:
    """Turn a server's allocation into a residue: its host is silent, and a guest may still lie there.

    The host's *used* stays as it is until the host is clean. The host's id, or None if there was nothing. Raises Raced
    if the host is up again: it was told of its residues before this one.
    """
    found = _allocation(conn, server_id)
    if found is None or not _delete(conn, server_id):
        return None
    if hosts.locked(conn, found.host_id).up:
        raise Raced
    amounts = {name: getattr(found, name) for name in AMOUNTS}
    row = {'host_id': found.host_id, 'server_id': server_id, 'sequence': sequence, 'created_at': utc_now(), **amounts}
    if insert_new(conn, models.Residue, [row]) == 0:
        # An older residue of the same server has not been cleaned yet: the two become one.
        conn.execute(
            update(_RESIDUE)
            .where(_RESIDUE.c.host_id == found.host_id, _RESIDUE.c.server_id == server_id)
            .values(sequence=sequence, **{name: _RESIDUE.c[name] + amount for name, amount in amounts.items()})
        )
    return int(found.host_id)


def clean(conn: Connection, host_id: int, server_ids: tuple[str, ...]) -> int:
    """The host has nothing left of these servers: their residues go, and their amounts are free. How many went."""
    gone = 0
    for server_id in server_ids:
        key = (_RESIDUE.c.host_id == host_id, _RESIDUE.c.server_id == server_id)
        found = conn.execute(select(_RESIDUE).where(*key)).one_or_none()
        if found is None or conn.execute(delete(_RESIDUE).where(*key)).rowcount == 0:
            continue
        amounts = {name: getattr(found, name) for name in AMOUNTS}
        conn.execute(update(_HOST).where(_HOST.c.id == host_id).values(_shifted(amounts, -1)))
        gone += 1
    return gone


def residues(conn: Connection, host_id: int) -> tuple[Residue, ...]:
    """What may still lie on a host."""
    rows = conn.execute(
        select(_RESIDUE.c.server_id, _RESIDUE.c.sequence)
        .where(_RESIDUE.c.host_id == host_id)
        .order_by(_RESIDUE.c.server_id)
    )
    return tuple(Residue(server_id=row.server_id, sequence=row.sequence) for row in rows)


def _allocation(conn: Connection, server_id: str) -> Any:
    return conn.execute(
        select(_ALLOCATION).where(_ALLOCATION.c.server_id == server_id, _ALLOCATION.c.role == CURRENT)
    ).one_or_none()


def _delete(conn: Connection, server_id: str) -> bool:
    # Whoever deletes the row subtracts its amounts: so exactly once, however many try.
    gone = conn.execute(delete(_ALLOCATION).where(_ALLOCATION.c.server_id == server_id, _ALLOCATION.c.role == CURRENT))
    return gone.rowcount == 1


def _shifted(amounts: dict[str, int], sign: int) -> dict[Any, Any]:
    values: dict[Any, Any] = {
        _HOST.c[f'used_{name}']: _HOST.c[f'used_{name}'] + sign * amounts[name] for name in AMOUNTS
    }
    values[_HOST.c.generation] = _HOST.c.generation + 1
    return values


def held_amounts(conn: Connection, host_id: int | None = None) -> dict[int, dict[str, int]]:
    """What allocations and residues add up to, of one host or of all, for the audit: host -> amounts."""
    totals: dict[int, dict[str, int]] = {}
    for table in (_ALLOCATION, _RESIDUE):
        sums = select(table.c.host_id, *(func.sum(table.c[name]).label(name) for name in AMOUNTS))
        if host_id is not None:
            sums = sums.where(table.c.host_id == host_id)
        for row in conn.execute(sums.group_by(table.c.host_id)):
            held = totals.setdefault(row.host_id, dict.fromkeys(AMOUNTS, 0))
            for name in AMOUNTS:
                held[name] += int(getattr(row, name))
    return totals


def without_server(conn: Connection) -> list[tuple[str, int]]:
    """(server, host) of allocations whose server is gone."""
    server = models.table(models.Server)
    alive = select(literal(1)).where(server.c.id == _ALLOCATION.c.server_id, server.c.deleted.is_(False)).exists()
    rows = conn.execute(select(_ALLOCATION.c.server_id, _ALLOCATION.c.host_id).where(~alive))
    return [(row.server_id, row.host_id) for row in rows]
