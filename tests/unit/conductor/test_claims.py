"""Claims: capacity that cannot be overcommitted, and is released exactly once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudplane import states
from cloudplane.conductor.db import allocations, models
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import inventory

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)


def test_a_claim_takes_the_host_and_sends_a_complete_order(bench: Bench, host: Host) -> None:
    server_id = bench.create(metadata={'a': 'b'}, user_data='dXNlcg==')

    bench.claim(server_id, host)

    server, operation = bench.server(server_id), bench.operation(server_id)
    assert (operation.state, operation.attempt, operation.host_id) == (states.SCHEDULED, 1, host.id)
    assert (server.host_id, server.vm_state, server.task_state) == (host.id, states.BUILDING, None)
    assert bench.used(host) == SMALL
    order = bench.compute.orders[-1]
    assert (order.host, order.attempt, order.request_id) == ('h1', 1, operation.request_id)
    assert order.guest is not None
    assert (order.guest.metadata, order.guest.user_data) == ({'a': 'b'}, 'dXNlcg==')
    assert 890 < order.remaining_s <= 900


def test_a_claim_of_a_full_host_takes_the_alternate(bench: Bench) -> None:
    full, alternate = bench.host('full', vcpus=1), bench.host('alternate')
    bench.active(full)
    server_id = bench.create()

    bench.claim(server_id, full, alternate)

    assert bench.server(server_id).host_id == alternate.id
    assert bench.used(full) == bench.used(alternate) == SMALL


def test_a_server_for_which_all_are_full_goes_back_to_a_scheduler_with_what_was_refused(bench: Bench) -> None:
    hosts = [bench.host(name, vcpus=1) for name in ('a', 'b')]
    for each in hosts:
        bench.active(each)
    server_id = bench.create()

    bench.claim(server_id, *hosts)

    operation = bench.operation(server_id)
    assert (operation.state, operation.attempt, operation.excluded_json) == (states.QUEUED, 0, '[]')
    assert bench.scheduler.builds[-1].server_id == server_id
    assert set(bench.scheduler.builds[-1].excluded_hosts) == {host.id for host in hosts}


@pytest.mark.parametrize('why', ['down', 'disabled', 'forced down'])
def test_a_host_that_takes_nothing_new_is_not_claimed_and_not_held_to_be_full(
    bench: Bench, host: Host, why: str
) -> None:
    server_id = bench.create()
    if why == 'down':
        bench.fall_silent(host)
    elif why == 'disabled':
        bench.call('host_set_disabled', host=host.name, disabled=True, reason='repair')
    else:
        bench.call('host_force_down', host=host.name, forced_down=True)

    bench.claim(server_id, host)

    assert bench.operation(server_id).state == states.QUEUED
    assert bench.used(host) == NOTHING
    assert bench.scheduler.builds == []  # no race round and round: the next wake-up comes soon enough
    bench.due(server_id)
    bench.look()
    assert not bench.scheduler.builds[-1].excluded_hosts


def test_what_was_full_may_be_chosen_again_after_hosts_were_down(bench: Bench) -> None:
    full = bench.host('full', vcpus=1)
    bench.active(full)
    server_id = bench.create()
    bench.claim(server_id, full)
    assert full.id in bench.scheduler.builds[-1].excluded_hosts

    bench.claim(server_id, transient=True)
    bench.due(server_id)
    bench.look()

    assert not bench.scheduler.builds[-1].excluded_hosts


@pytest.mark.parametrize('attempt', [1, 7])
def test_a_claim_for_another_attempt_is_ignored(bench: Bench, host: Host, attempt: int) -> None:
    server_id = bench.create()

    bench.claim(server_id, host, attempt=attempt)

    assert bench.operation(server_id).state == states.QUEUED
    assert bench.used(host) == NOTHING


def test_a_claim_that_comes_twice_counts_once(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    selection = bench.selection(server_id, host)

    bench.conductor.claimer.claim([selection])
    bench.conductor.claimer.claim([selection, selection])

    assert bench.used(host) == SMALL
    assert len(bench.compute.orders) == 1


def test_a_claim_for_a_server_that_was_deleted_takes_nothing(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    selection = bench.selection(server_id, host)
    bench.ask(states.DELETE, server_id)

    bench.conductor.claimer.claim([selection])

    assert bench.used(host) == NOTHING
    assert bench.compute.orders == []


def test_many_claims_at_once_never_overcommit(bench: Bench) -> None:
    tight, wide = bench.host('tight', vcpus=3), bench.host('wide', vcpus=4)
    server_ids = bench.accept(bench.create_request(10)).server_ids
    selections = [bench.selection(server_id, tight, wide) for server_id in server_ids]

    with ThreadPoolExecutor(3) as pool:  # three schedulers, each of which decided on all of them
        list(pool.map(bench.conductor.claimer.claim, [selections] * 3))

    assert bench.used(tight) == (3, 1536, 15)
    assert bench.used(wide) == (4, 2048, 20)
    placed = [bench.operation(server_id).state for server_id in server_ids]
    assert (placed.count(states.SCHEDULED), placed.count(states.QUEUED)) == (7, 3)


@pytest.mark.parametrize('resource', ['vcpus', 'memory_mb', 'disk_gb'])
def test_each_resource_has_a_limit_of_its_own(bench: Bench, resource: str) -> None:
    amounts = {'vcpus': 1, 'memory_mb': 512, 'disk_gb': 5}
    host = bench.host('exact', **{resource: amounts[resource]})
    first, second = bench.create(), bench.create()

    bench.claim(first, host)
    bench.claim(second, host)

    assert bench.operation(first).state == states.SCHEDULED
    assert bench.operation(second).state == states.QUEUED


def test_limits_are_what_people_would_calculate(bench: Bench) -> None:
    bench.conductor.agents.register(inventory('h', vcpus=100, vcpu_ratio=1.15, memory_ratio=0.5, reserved_memory_mb=1))

    row = bench.host_row('h')
    assert (row.limit_vcpus, row.limit_memory_mb) == (115, 4095)


def test_more_reserved_than_there_is_leaves_no_room(bench: Bench) -> None:
    bench.conductor.agents.register(inventory('h', memory_mb=100, reserved_memory_mb=512))

    assert bench.host_row('h').limit_memory_mb == 0


def test_capacity_is_released_by_one_of_many(bench: Bench, host: Host) -> None:
    kept, gone = bench.active(host), bench.active(host)

    def release(_: int) -> int | None:
        return bench.database.write(lambda conn: allocations.release(conn, gone))

    with ThreadPoolExecutor(8) as pool:
        released = [host_id for host_id in pool.map(release, range(16)) if host_id is not None]
    bench.change(models.Server, {'id': gone}, {'host_id': None})

    assert released == [host.id]
    assert bench.used(host) == SMALL
    assert bench.server(kept).host_id == host.id


def test_one_claim_that_cannot_be_made_does_not_hold_up_the_others(bench: Bench, host: Host) -> None:
    good, bad = bench.create(), bench.create()
    selections = [bench.selection(bad, host), bench.selection(good, host)]
    bench.add(
        models.Allocation, server_id=bad, role='current', host_id=host.id, vcpus=0, memory_mb=0, disk_gb=0,
        created_at=bench.server(bad).created_at,
    )  # fmt: skip
    bench.tampered = True

    bench.conductor.claimer.claim(selections)

    assert bench.operation(good).state == states.SCHEDULED
    assert [order.server_id for order in bench.compute.orders] == [good]


def test_the_feed_hears_of_the_host_and_of_the_end_of_the_claim(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    bench.claim(server_id, host)

    bench.conductor.feed.send()

    changes = bench.scheduler.changes[-1]
    assert [row.used_vcpus for row in changes.rows] == [1]
    assert changes.claims_ended == (bench.operation(server_id).id,)


def test_a_claim_that_was_refused_has_ended_as_well(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    bench.claim(server_id, host, attempt=9)

    bench.conductor.feed.send()

    assert bench.scheduler.changes[-1].claims_ended == (bench.operation(server_id).id,)


def test_no_valid_host_because_hosts_are_full_fails_the_build_with_its_diagnosis(bench: Bench) -> None:
    server_id = bench.create()

    bench.claim(server_id, summary='No valid host: 12 hosts: 12 without 512 MB free')

    assert bench.operation(server_id).state == states.FAILED
    assert bench.server(server_id).vm_state == states.ERROR
    assert bench.fault(server_id) == 'No valid host: 12 hosts: 12 without 512 MB free'
    assert '"hosts":0' in bench.operation(server_id).decision_json


def test_no_valid_host_because_hosts_are_down_is_tried_until_the_deadline(bench: Bench) -> None:
    server_id = bench.create()

    for _ in range(8):
        bench.claim(server_id, transient=True, summary='No valid host: 3 hosts are down')
        assert bench.operation(server_id).state == states.QUEUED
        assert 4 < bench.wait_s(server_id) <= 30
        bench.due(server_id)
        bench.look()
        assert bench.scheduler.builds[-1].server_id == server_id
    bench.expire(server_id)
    bench.look()

    assert bench.operation(server_id).state == states.FAILED
    assert 'create did not end within 900 s: No valid host: 3 hosts are down' in bench.fault(server_id)


def test_a_claim_that_the_database_does_not_take_is_left_to_the_reconciler(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    bench.compute.unreachable = True
    bench.claim(server_id, host)
    bench.compute.unreachable = False

    assert bench.operation(server_id).state == states.SCHEDULED
    bench.due(server_id)
    bench.look()
    assert [order.attempt for order in bench.compute.orders] == [1]
