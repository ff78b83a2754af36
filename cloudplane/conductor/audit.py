"""Compares what must agree: operations, servers, allocations, residues, hosts and quota counters.

Each difference is one sentence for an operator. `repair` mends what can be mended without knowing what is on the hosts.
"""

from collections.abc import Iterator

from cloudplane.conductor.db import allocations, audits, hosts, operations, servers, usage
from cloudplane.conductor.db.session import Connection, Database
from cloudplane.conductor.db.usage import Amounts
from cloudplane.objects.operation import Difference

NOTHING = Amounts(instances=0, cores=0, ram_mb=0)


def audit(database: Database, *, repair: bool = False) -> tuple[Difference, ...]:
    """All differences, in one transaction: what is written meanwhile is not taken for drift."""
    run = database.write if repair else database.read
    return run(lambda conn: tuple(_differences(conn, repair)))


def _differences(conn: Connection, repair: bool) -> Iterator[Difference]:
    yield from _operations(conn, repair)
    yield from _placements(conn, repair)
    yield from _capacity(conn, repair)
    yield from _quotas(conn, repair)


def _operations(conn: Connection, repair: bool) -> Iterator[Difference]:
    for row in operations.misplaced(conn):
        if repair:
            servers.change(conn, row.server_id, row.operation_id, {'operation_id': None, 'task_state': None})
        works = f'operation {row.operation_id}, which is {row.state or "unknown"}' if row.operation_id else 'nobody'
        yield Difference(
            subject='server',
            id=row.server_id,
            expected='an active operation, or no task_state',
            found=f'task_state {row.task_state}, worked on by {works}',
            repaired=repair,
        )
    for row in operations.orphaned(conn):
        if repair:
            operations.supersede(conn, row.id)
        yield Difference(
            subject='operation',
            id=row.id,
            expected=f'to be the active operation of server {row.server_id}',
            found=f'{row.state}, while the server has {row.operation_id or "none"}',
            repaired=repair,
        )
    for row in audits.overdue(conn):
        yield Difference(
            subject='operation',
            id=row.id,
            expected='to have ended by its deadline',
            found=f'{row.kind} of server {row.server_id} is {row.state}: does a conductor run?',
        )


def _placements(conn: Connection, repair: bool) -> Iterator[Difference]:
    for server_id, host_id in allocations.without_server(conn):
        if repair:
            allocations.release(conn, server_id)
        yield Difference(
            subject='allocation',
            id=server_id,
            expected='a server',
            found=f'none; the allocation holds capacity of host {host_id}',
            repaired=repair,
        )
    for row in audits.misallocated(conn):
        yield Difference(
            subject='server',
            id=row.id,
            expected=f'an allocation on host {row.host_id}' if row.host_id is not None else 'no allocation',
            found=f'one on host {row.allocated}' if row.allocated is not None else 'none',
        )


def _capacity(conn: Connection, repair: bool) -> Iterator[Difference]:
    held = allocations.held_amounts(conn)
    for row in hosts.rows(conn):
        expected = held.get(row.id, dict.fromkeys(allocations.AMOUNTS, 0))
        found = {name: int(getattr(row, f'used_{name}')) for name in allocations.AMOUNTS}
        if expected == found:
            continue
        if repair:
            hosts.correct_used(conn, row.id, expected)
        yield Difference(subject='host', id=row.name, expected=_listed(expected), found=_listed(found), repaired=repair)


def _quotas(conn: Connection, repair: bool) -> Iterator[Difference]:
    counted, recorded = usage.counted(conn), usage.recorded(conn)
    for project_id in sorted(counted.keys() | recorded.keys()):
        expected, found = counted.get(project_id, NOTHING), recorded.get(project_id, NOTHING)
        if expected == found:
            continue
        if repair:
            usage.correct(conn, project_id, expected)
        yield Difference(
            subject='quota of project', id=project_id, expected=repr(expected), found=repr(found), repaired=repair
        )


def _listed(amounts: dict[str, int]) -> str:
    return ', '.join(f'used_{name} {amount}' for name, amount in amounts.items())
