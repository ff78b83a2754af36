"""Compares what must agree: operations, servers, allocations, residues, hosts and quota counters.

Each difference is one sentence for an operator. `repair` mends what can be mended without knowing what is on the hosts.
"""

from collections.abc import Iterator

from cloudplane import states
from cloudplane.conductor.db import allocations, audits, hosts, servers, usage
from cloudplane.conductor.db.session import Connection, Database
from cloudplane.conductor.db.usage import Amounts
from cloudplane.objects.operation import Difference

NOTHING = Amounts(instances=0, cores=0, ram_mb=0)


def audit(database: Database, *, repair: bool = False) -> tuple[Difference, ...]:
    """All differences, seen at one moment: what is written meanwhile is not taken for drift.

    A repair looks at each difference again while it holds the row that it corrects.
    """
    run = database.write if repair else database.snapshot
    return run(lambda conn: tuple(_differences(conn, repair)))


def _differences(conn: Connection, repair: bool) -> Iterator[Difference]:
    yield from _quotas(conn, repair)  # first, in the order of locks
    yield from _misplaced(conn, repair)
    yield from _stuck(conn, repair)
    yield from _placements(conn, repair)
    yield from _capacity(conn, repair)


def _misplaced(conn: Connection, repair: bool) -> Iterator[Difference]:
    for row in audits.misplaced(conn):
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
    for row in audits.orphaned(conn):
        if repair:
            audits.supersede(conn, row.id)
        yield Difference(
            subject='operation',
            id=row.id,
            expected=f'to be the active operation of server {row.server_id}',
            found=f'{row.state}, while the server has {row.operation_id or "none"}',
            repaired=repair,
        )


def _stuck(conn: Connection, repair: bool) -> Iterator[Difference]:
    for row in audits.abandoned(conn):
        if repair and servers.change(conn, row.id, None, {'vm_state': states.ERROR}):
            servers.add_fault(conn, row.id, None, 500, 'Nothing worked on its build any more: delete it.', None)
        yield Difference(
            subject='server',
            id=row.id,
            expected=f'an operation that ends {states.BUILDING}',
            found='none',
            repaired=repair,
        )
    for row in audits.unscheduled(conn):
        if repair:
            audits.reschedule(conn, row.id)
        yield Difference(
            subject='operation',
            id=row.id,
            expected='to be looked at by a conductor until it has ended, and no longer',
            found=f'{row.state}, next looked at: {row.next_run_at or "never"}',
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
    held, nothing = allocations.held_amounts(conn), dict.fromkeys(allocations.AMOUNTS, 0)
    for row in hosts.rows(conn):
        expected = held.get(row.id, nothing)
        found = {name: int(getattr(row, f'used_{name}')) for name in allocations.AMOUNTS}
        if expected == found:
            continue
        if repair:
            hosts.locked(conn, row.id)
            hosts.correct_used(conn, row.id, allocations.held_amounts(conn, row.id).get(row.id, nothing))
        yield Difference(subject='host', id=row.name, expected=_listed(expected), found=_listed(found), repaired=repair)


def _quotas(conn: Connection, repair: bool) -> Iterator[Difference]:
    counted, recorded = usage.counted(conn), usage.recorded(conn)
    for project_id in sorted(counted.keys() | recorded.keys()):
        expected, found = counted.get(project_id, NOTHING), recorded.get(project_id, NOTHING)
        if expected == found:
            continue
        if repair:
            usage.lock(conn, project_id)
            usage.correct(conn, project_id, usage.counted(conn, project_id).get(project_id, NOTHING))
        yield Difference(
            subject='quota of project', id=project_id, expected=repr(expected), found=repr(found), repaired=repair
        )


def _listed(amounts: dict[str, int]) -> str:
    return ', '.join(f'used_{name} {amount}' for name, amount in amounts.items())
