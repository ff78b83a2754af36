"""Delete always wins, frees everything exactly once, and leaves a residue where nobody could look."""

import pytest

from cloudplane import exceptions, states
from cloudplane.conductor.db import models
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)


def test_a_delete_of_a_queued_build_ends_inside_accept(bench: Bench) -> None:
    server_id = bench.create()
    build = bench.operation(server_id)

    answer = bench.ask(states.DELETE, server_id)

    assert (answer.done, answer.work) == (True, None)
    assert bench.operation_of(build.id).state == states.SUPERSEDED
    assert bench.operation(server_id).state == states.DONE
    assert bench.server(server_id).deleted
    assert bench.usage() == NOTHING


def test_a_delete_of_a_build_that_has_not_begun_ends_inside_accept_and_frees_its_host(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)
    assert bench.used(host) == SMALL

    answer = bench.ask(states.DELETE, server_id)

    assert answer.done
    assert bench.used(host) == bench.usage() == NOTHING
    assert bench.rows(models.Allocation) == []


def test_the_agent_of_a_build_that_was_deleted_before_it_began_is_refused(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)
    build = bench.operation(server_id)
    bench.ask(states.DELETE, server_id)

    verdict = bench.begin(server_id, host, operation_id=build.id, attempt=build.attempt)

    assert (verdict.accepted, verdict.wanted) == (False, states.WANT_ABSENT)


def test_a_delete_of_a_running_build_goes_to_the_agent(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    build = bench.operation(server_id)

    answer = bench.ask(states.DELETE, server_id)

    assert answer.work is not None
    assert answer.work.kind == states.DELETE
    assert bench.operation_of(build.id).state == states.SUPERSEDED
    assert bench.used(host) == SMALL
    assert bench.finish(server_id, host).accepted
    assert bench.server(server_id).deleted
    assert bench.used(host) == bench.usage() == NOTHING


@pytest.mark.parametrize('kind', [states.STOP, states.SNAPSHOT, states.SOFT_REBOOT, states.HARD_REBOOT])
def test_a_delete_replaces_whatever_runs(bench: Bench, host: Host, kind: str) -> None:
    server_id = bench.active(host)
    replaced = bench.running(kind, server_id, host)

    bench.ask(states.DELETE, server_id)

    assert bench.operation_of(replaced).state == states.SUPERSEDED
    assert bench.server(server_id).task_state == 'deleting'


def test_a_second_delete_joins_the_first(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    first = bench.ask(states.DELETE, server_id)

    second = bench.ask(states.DELETE, server_id)

    assert second.operation_ids == first.operation_ids
    assert (second.replayed, second.work) == (True, None)


def test_nothing_replaces_a_delete(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)

    with pytest.raises(exceptions.ServerBusy, match='delete is running'):
        bench.ask(states.HARD_REBOOT, server_id)


def test_a_delete_does_not_need_to_begin(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)
    assert bench.operation(server_id).state == states.SCHEDULED

    assert bench.finish(server_id, host).accepted
    assert bench.operation(server_id).state == states.DONE


def test_a_delete_on_a_host_that_is_down_leaves_a_residue(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.fall_silent(host)

    answer = bench.ask(states.DELETE, server_id)

    assert answer.done
    assert bench.usage() == NOTHING
    assert bench.residues(host) == {server_id: 2}
    assert bench.used(host) == SMALL  # until the host is clean
    assert bench.rows(models.Allocation) == []


def test_a_delete_that_waits_is_ended_when_its_host_goes_down(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)

    bench.fall_silent(host)

    assert bench.operation(server_id).state == states.DONE
    assert bench.residues(host) == {server_id: 2}
    assert bench.usage() == NOTHING


def test_a_delete_that_failed_is_tried_again_as_a_new_attempt(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)

    assert bench.finish(server_id, host, succeeded=False).accepted

    operation = bench.operation(server_id)
    assert (operation.state, operation.attempt, operation.message) == (states.SCHEDULED, 1, 'it broke')
    bench.due(server_id)
    bench.look()
    assert bench.compute.orders[-1].attempt == 1
    assert bench.finish(server_id, host).accepted


def test_a_failed_delete_that_is_reported_twice_is_not_counted_twice(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)
    report = bench.report(server_id, host, succeeded=False)
    bench.conductor.executor.finish(report)

    again = bench.conductor.executor.finish(report)

    assert (again.accepted, again.wanted) == (False, states.WANT_LEAVE)
    assert bench.operation(server_id).attempt == 1


def test_a_delete_goes_on_however_often_it_was_tried(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)

    for _ in range(2 * bench.settings.tries):
        bench.finish(server_id, host, succeeded=False)
        bench.due(server_id)
        bench.look()

    assert bench.operation(server_id).state == states.SCHEDULED


def test_a_delete_whose_agent_began_it_goes_on_until_its_deadline_as_well(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.DELETE, server_id, host)

    for _ in range(2 * bench.settings.tries):
        bench.due(server_id)
        bench.look()

    assert bench.operation(server_id).state == states.STARTED


def test_a_delete_whose_deadline_is_over_fails_and_may_be_asked_for_again(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)
    bench.finish(server_id, host, succeeded=False)
    bench.expire(server_id)
    bench.look()

    assert bench.operation(server_id).state == states.FAILED
    assert bench.server(server_id).vm_state == states.ERROR
    assert 'delete did not end within 600 s on host h1: it broke' in bench.fault(server_id)
    assert bench.used(host) == SMALL
    bench.ask(states.DELETE, server_id)
    assert bench.finish(server_id, host).accepted
    assert bench.usage() == bench.used(host) == NOTHING


def test_capacity_and_quota_are_freed_once_however_often_a_delete_is_reported(bench: Bench, host: Host) -> None:
    kept, gone = bench.active(host), bench.active(host)
    bench.ask(states.DELETE, gone)

    for _ in range(3):
        assert bench.finish(gone, host).accepted

    assert bench.used(host) == SMALL
    assert bench.usage() == (1, 1, 512)
    assert bench.server(kept).vm_state == states.ACTIVE
