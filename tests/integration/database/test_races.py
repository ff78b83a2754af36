"""Two at once, in every order that the statements allow, on databases with row locks.

SQLite is not here: a write transaction there is alone.
"""

from collections.abc import Callable, Iterator

import pytest

from cloudplane import exceptions, states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.session import Database
from cloudplane.conductor.parts import ConductorParts
from cloudplane.objects.operation import Accepted, Heartbeat, Verdict
from tests.integration.database.conftest import SERVERS
from tests.integration.database.interleaving import in_every_order
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import NO_LIMIT, inventory, settings

Both = Callable[[Callable[[], object], Callable[[], object]], None]
pytestmark = pytest.mark.parametrize('dialect', SERVERS, indirect=True)
WIDE = {'vcpus': 100, 'memory_mb': 102400, 'disk_gb': 1000}


@pytest.fixture
def wide(bench: Bench) -> Host:
    """A host for many servers of a project without limits."""
    bench.restart(settings(quota=NO_LIMIT))
    return bench.host('h1', **WIDE)


@pytest.fixture
def other(bench: Bench, opened: Callable[[], Database]) -> Iterator[ConductorParts]:
    """A second conductor, with connections of its own."""
    made = bench.new_conductor(settings(quota=NO_LIMIT), opened())
    yield made
    made.claimer.stop()


def test_a_build_begins_or_is_deleted_before_it_began(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.scheduled(wide)
        begin = bench.begin_request(server_id, wide)
        verdicts: list[Verdict] = []
        answers: list[Accepted] = []

        both(
            lambda: answers.append(bench.ask(states.DELETE, server_id)),
            lambda: verdicts.append(other.executor.begin(begin)),
        )

        assert answers[0].done != verdicts[0].accepted, 'what has begun must be destroyed by its agent'
        if not answers[0].done:
            bench.finish(server_id, wide)
        assert bench.used(wide) == (0, 0, 0)

    assert in_every_order(bench.database, round_) >= 4


def test_a_build_is_claimed_or_deleted_and_its_host_is_free(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.create()
        selection = bench.selection(server_id, wide)

        both(lambda: bench.ask(states.DELETE, server_id), lambda: other.claimer.claim([selection]))

        assert bench.server(server_id).deleted
        assert bench.used(wide) == (0, 0, 0)
        assert bench.usage() == (0, 0, 0)

    assert in_every_order(bench.database, round_) >= 4


def test_a_claim_is_interrupted_by_a_delete(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.create()
        selection, request = bench.selection(server_id, wide), bench.request(states.DELETE, server_id)

        both(
            lambda: bench.conductor.claimer.claim([selection]),
            lambda: other.acceptor.operation(bench.context(), request),
        )

        assert bench.server(server_id).deleted
        assert bench.used(wide) == (0, 0, 0)

    assert in_every_order(bench.database, round_) >= 4


def test_a_residue_is_never_left_on_a_host_that_does_not_hear_of_it(
    bench: Bench, wide: Host, other: ConductorParts
) -> None:
    def round_(both: Both) -> None:
        server_id = bench.active(wide)
        bench.change(models.Host, {'name': 'h1'}, {'up': False})
        beat = Heartbeat(host='h1', epoch=wide.epoch)

        both(lambda: bench.ask(states.DELETE, server_id), lambda: other.agents.heartbeat(beat))

        if bench.residues(wide):
            assert not bench.host_row('h1').up
            bench.cleaned(wide, server_id)
        else:
            bench.finish(server_id, wide)
        assert bench.server(server_id).deleted
        assert bench.host_row('h1').up
        assert bench.used(wide) == (0, 0, 0)

    assert in_every_order(bench.database, round_) >= 4


def test_an_operation_ends_once_whoever_ends_it(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.building(wide)
        bench.due(server_id)
        bench.grace_over()
        report = bench.report(server_id, wide)
        verdicts: list[Verdict] = []

        both(lambda: verdicts.append(bench.conductor.executor.finish(report)), other.reconciler.look)

        ended = bench.operation(server_id).state == states.DONE
        assert ended == verdicts[0].accepted
        assert ended or bench.operation(server_id).attempt == report.attempt + 1
        bench.ask(states.DELETE, server_id)
        bench.finish(server_id, wide)

    assert in_every_order(bench.database, round_) >= 4


def test_a_late_finish_and_a_forced_down_host(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        host = bench.named('h1')
        server_id = bench.building(host)
        report = bench.report(server_id, host)
        committed: list[bool] = []

        def finish() -> None:
            try:
                committed.append(bench.conductor.executor.finish(report).accepted)
            except exceptions.StaleEpoch:
                committed.append(False)

        both(finish, lambda: other.host_admin.force_down('h1', True))

        assert (bench.server(server_id).vm_state == states.ACTIVE) == committed[0]
        assert committed[0] or bench.operation(server_id).state == states.QUEUED
        bench.ask(states.DELETE, server_id)
        bench.call('host_force_down', host='h1', forced_down=False)
        bench.register('h1', **WIDE)
        bench.cleaned(bench.named('h1'), server_id)
        assert bench.used(host) == (0, 0, 0)

    assert in_every_order(bench.database, round_) >= 4


def test_the_same_create_at_the_same_time_is_one_create(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        request = bench.create_request(2)
        before = bench.usage()[0]
        answers: list[Accepted] = []

        both(
            lambda: answers.append(bench.accept(request)),
            lambda: answers.append(other.acceptor.create(bench.context(), request)),
        )

        assert [answer.replayed for answer in answers].count(True) == 1
        assert answers[0].server_ids == answers[1].server_ids
        assert bench.usage()[0] == before + 2

    assert in_every_order(bench.database, round_) >= 4


def test_the_same_key_at_the_same_time_has_one_effect(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        before = bench.usage()[0]
        requests = [bench.create_request(key=f'k{before}') for _ in range(2)]
        answers: list[Accepted] = []

        both(
            lambda: answers.append(bench.accept(requests[0])),
            lambda: answers.append(other.acceptor.create(bench.context(), requests[1])),
        )

        assert answers[0].server_ids == answers[1].server_ids
        assert bench.usage()[0] == before + 1

    assert in_every_order(bench.database, round_) >= 4


def test_heartbeats_registrations_and_endings_do_not_hold_each_other_up(
    bench: Bench, wide: Host, other: ConductorParts
) -> None:
    def round_(both: Both) -> None:
        server_id = bench.building(wide)
        report, held = bench.report(server_id, wide), bench.held(server_id, step='disk')

        both(lambda: bench.beat(wide, held), lambda: other.executor.finish(report))
        assert bench.server(server_id).vm_state == states.ACTIVE
        assert bench.server(server_id).task_state is None
        bench.ask(states.DELETE, server_id)
        bench.finish(server_id, wide)

    assert in_every_order(bench.database, round_) >= 4


def test_an_agent_registers_while_its_operation_ends(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.building(wide)
        report = bench.report(server_id, wide)
        verdicts: list[Verdict] = []

        both(
            lambda: bench.conductor.agents.register(inventory('h1', **WIDE)),
            lambda: verdicts.append(other.executor.finish(report)),
        )

        operation = bench.operation(server_id)
        assert (operation.state == states.DONE) == verdicts[0].accepted
        assert operation.state == states.DONE or operation.attempt == report.attempt + 1
        bench.ask(states.DELETE, server_id)
        bench.finish(server_id, wide)

    assert in_every_order(bench.database, round_) >= 4


def test_an_audit_sees_one_moment(bench: Bench, wide: Host, other: ConductorParts) -> None:
    def round_(both: Both) -> None:
        server_id = bench.create()
        selection = bench.selection(server_id, wide)

        def audit() -> None:
            assert bench.audit() == ()

        def change() -> None:
            other.claimer.claim([selection])
            other.acceptor.operation(bench.context(), bench.request(states.DELETE, server_id))
            other.acceptor.create(bench.context(), bench.create_request(2))

        both(audit, change)

    assert in_every_order(bench.database, round_) >= 4


def test_a_repair_takes_nothing_for_drift_that_is_being_written(
    bench: Bench, wide: Host, other: ConductorParts
) -> None:
    def round_(both: Both) -> None:
        server_id = bench.create()
        selection = bench.selection(server_id, wide)

        def change() -> None:
            other.claimer.claim([selection])
            other.acceptor.operation(bench.context(), bench.request(states.DELETE, server_id))
            other.acceptor.create(bench.context(), bench.create_request(2))

        bench.change(models.ProjectUsage, {'project_id': 'p1'}, {'cores': 0})
        bench.change(models.Host, {'name': 'h1'}, {'used_vcpus': 50})
        both(lambda: bench.audit(repair=True), change)

        assert bench.audit() == ()

    assert in_every_order(bench.database, round_) >= 4
