"""What stands still is driven again: wake-ups, leases, tries, deadlines."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import SETTINGS, settings


def _due(bench: Bench, server_id: str) -> None:
    bench.due(server_id)
    bench.look()


def test_what_is_not_due_is_left_alone(bench: Bench, host: Host) -> None:
    bench.create()
    bench.building(host)
    bench.compute.orders.clear()

    bench.look()

    assert bench.scheduler.builds == []
    assert bench.compute.orders == []


def test_a_queued_build_is_given_to_a_scheduler_again_later_and_later(bench: Bench) -> None:
    server_id = bench.create()
    waits = [bench.wait_s(server_id)]
    for _ in range(5):
        _due(bench, server_id)
        waits.append(bench.wait_s(server_id))

    assert [round(wait) for wait in waits] == [5, 10, 20, 30, 30, 30]
    assert {spec.attempt for spec in bench.scheduler.builds} == {0}
    assert len(bench.scheduler.builds) == 5


def test_what_has_not_begun_is_sent_again_as_the_same_attempt(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.STOP, server_id)
    bench.compute.orders.clear()
    for _ in range(7):
        _due(bench, server_id)

    assert {order.attempt for order in bench.compute.orders} == {0}
    assert bench.operation(server_id).state == states.SCHEDULED  # tries count only what runs


def test_a_wake_up_is_sent_for_the_request_that_asked(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.STOP, server_id)

    _due(bench, server_id)

    assert bench.compute.request_ids[-1] == bench.operation(server_id).request_id


def test_a_running_operation_whose_lease_is_over_goes_on_where_it_was_as_a_new_attempt(
    bench: Bench, host: Host
) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)

    _due(bench, server_id)

    operation = bench.operation(server_id)
    assert (operation.state, operation.attempt, operation.tries) == (states.STARTED, 1, 1)
    order = bench.compute.orders[-1]
    assert (order.attempt, order.host) == (1, 'h1')


def test_a_running_operation_is_driven_again_with_longer_and_longer_waits_then_fails(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    waits = []
    for _ in range(SETTINGS.tries):
        _due(bench, server_id)
        waits.append(round(bench.wait_s(server_id)))
    assert waits == [30, 30, 30, 40, 60]

    _due(bench, server_id)

    assert bench.operation(server_id).state == states.FAILED
    assert bench.server(server_id).vm_state == states.ERROR
    assert 'create was tried 5 times on host h1 without progress' in bench.fault(server_id)
    assert bench.used(host) == (1, 512, 5)  # until the host says that it is clean


def test_progress_resets_the_tries(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    for _ in range(SETTINGS.tries):
        _due(bench, server_id)
    bench.heartbeat(host, server_id)

    _due(bench, server_id)

    assert bench.operation(server_id).state == states.STARTED


def test_a_begin_resets_the_tries(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)
    for _ in range(SETTINGS.tries):
        _due(bench, server_id)

    bench.begin(server_id, host)

    assert bench.operation(server_id).tries == 0


def test_a_heartbeat_renews_the_lease(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.due(server_id)

    bench.heartbeat(host, server_id)
    bench.look()

    assert bench.operation(server_id).attempt == 1
    assert 29 < bench.wait_s(server_id) <= 30


def test_a_lease_does_not_reach_beyond_the_deadline(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)
    bench.pass_s(170)

    bench.heartbeat(host, server_id)

    assert 9 < bench.wait_s(server_id) <= 10


@pytest.mark.parametrize(
    ('kind', 'deadline_s'),
    [(states.STOP, 180), (states.HARD_REBOOT, 180), (states.SNAPSHOT, 3600), (states.DELETE, 600)],
)
def test_nothing_goes_on_past_its_deadline(bench: Bench, host: Host, kind: str, deadline_s: int) -> None:
    server_id = bench.active(host)
    bench.ask(kind, server_id)
    bench.pass_s(deadline_s - 1)
    bench.heartbeat(host)
    bench.look()
    assert bench.operation(server_id).state == states.SCHEDULED

    bench.pass_s(2)
    bench.look()

    assert bench.operation(server_id).state == states.FAILED
    server = bench.server(server_id)
    assert (server.vm_state, server.task_state, server.host_id) == (states.ERROR, None, host.id)
    assert f'did not end within {deadline_s} s on host h1' in bench.fault(server_id)


def test_a_build_past_its_deadline_that_had_not_begun_frees_its_host(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)
    bench.expire(server_id)

    bench.look()

    assert bench.server(server_id).vm_state == states.ERROR
    assert bench.server(server_id).host_id is None
    assert bench.used(host) == (0, 0, 0)


def test_a_build_past_its_deadline_that_ran_keeps_its_allocation_until_its_host_is_clean(
    bench: Bench, host: Host
) -> None:
    server_id = bench.building(host)
    bench.expire(server_id)
    bench.look()
    assert bench.used(host) == (1, 512, 5)

    assert bench.heartbeat(host, server_id).refusals[0].wanted == states.WANT_ABSENT
    bench.cleaned(host, server_id)

    assert bench.used(host) == (0, 0, 0)


def test_a_build_of_a_host_that_went_down_unseen_is_moved_when_it_is_due(bench: Bench, host: Host) -> None:
    # The conductor that marked the host down died before it had moved its builds.
    server_id = bench.building(host)
    bench.change(models.Host, {'id': host.id}, {'up': False})

    _due(bench, server_id)

    assert bench.operation(server_id).state == states.QUEUED
    assert bench.residues(host) == {server_id: 1}


def test_what_is_oldest_comes_first_and_no_more_than_is_allowed(bench: Bench) -> None:
    bench.restart(settings(reconcile_rows=2))
    server_ids = bench.accept(bench.create_request(3)).server_ids
    for server_id in server_ids:
        bench.due(server_id)
        bench.pass_s(1)

    bench.look()

    assert [spec.server_id for spec in bench.scheduler.builds] == list(server_ids[:2])


def test_an_operation_that_cannot_be_handled_does_not_hold_up_the_others(bench: Bench) -> None:
    broken, good = bench.create(), bench.create()
    bench.change(models.Server, {'id': broken}, {'flavor_json': '{}'})
    bench.due(broken)
    bench.pass_s(1)
    bench.due(good)
    bench.tampered = True

    bench.look()

    assert [spec.server_id for spec in bench.scheduler.builds] == [good]


def test_two_conductors_that_look_at_once_drive_each_operation_once(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    other = bench.new_conductor()
    bench.due(server_id)

    bench.look()
    other.reconciler.look()
    other.claimer.stop()

    assert [order.attempt for order in bench.compute.orders] == [1, 2]


def test_the_bus_is_away_and_nothing_is_lost(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.compute.unreachable = bench.scheduler.unreachable = True
    queued = bench.create()
    bench.due(queued)
    _due(bench, server_id)
    bench.conductor.feed.send()
    bench.compute.unreachable = bench.scheduler.unreachable = False

    bench.due(queued)
    _due(bench, server_id)

    assert bench.compute.orders[-1].attempt == 3
    assert bench.scheduler.builds[-1].server_id == queued


def test_active_operations_are_counted(bench: Bench, host: Host) -> None:
    bench.create()
    bench.building(host)
    bench.active(host)

    bench.look()

    assert bench.conductor.acceptor.active_operations == 2


def test_the_thread_looks_until_it_is_stopped_and_outlives_failures(bench: Bench) -> None:
    server_id = bench.create()
    bench.restart(settings(reconcile_s=0.02))
    bench.grace_over()
    bench.due(server_id)
    looked = bench.scheduler.woken
    bench.scheduler.fails_once = True

    bench.conductor.reconciler.start()
    assert looked.acquire(timeout=10)
    bench.due(server_id)
    assert looked.acquire(timeout=10)
    bench.conductor.reconciler.stop()
