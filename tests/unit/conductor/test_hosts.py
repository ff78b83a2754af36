"""Hosts that register, fall silent, and come back."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import hosts, models
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import residue

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)


def test_a_host_that_registers_is_up_and_learns_its_epoch(bench: Bench) -> None:
    answer = bench.register('h1')

    assert (answer.epoch, answer.residues, answer.guests, answer.work) == (1, (), (), ())
    assert bench.host_row('h1').up


def test_registering_again_keeps_what_is_used(bench: Bench, host: Host) -> None:
    bench.active(host)

    bench.register('h1', vcpus=16)

    assert bench.used(host) == SMALL
    assert bench.host_row('h1').limit_vcpus == 16


def test_an_agent_that_starts_is_told_what_its_guests_should_be(bench: Bench, host: Host) -> None:
    on, off, broken = bench.active(host), bench.stopped(host), bench.building(host)
    busy = bench.active(host)
    bench.running(states.STOP, busy, host)
    bench.finish(broken, host, succeeded=False)

    answer = bench.register('h1')

    assert {guest.server_id: (guest.wanted, guest.sequence) for guest in answer.guests} == {
        on: (states.WANT_ON, 1),
        off: (states.WANT_OFF, 2),
        broken: (states.WANT_ABSENT, 1),
        busy: (states.WANT_LEAVE, 2),
    }


def test_an_agent_that_starts_goes_on_with_what_ran_as_a_new_attempt(bench: Bench, host: Host) -> None:
    running, waiting = bench.building(host), bench.scheduled(host)

    answer = bench.register('h1')

    assert {order.server_id: order.attempt for order in answer.work} == {running: 2, waiting: 1}
    assert bench.begin(running, host, attempt=2).accepted
    assert not bench.begin(running, host, attempt=1).accepted
    assert bench.begin(waiting, host, attempt=1).accepted


def test_an_agent_whose_registration_was_not_answered_registers_again(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.register('h1')

    answer = bench.register('h1')

    assert [order.attempt for order in answer.work] == [3]
    assert bench.finish(server_id, host, attempt=3).accepted


# Silence


def test_a_silent_host_takes_nothing_new_and_keeps_what_it_has(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    bench.fall_silent(host)

    assert bench.server(server_id).vm_state == states.ACTIVE
    assert bench.used(host) == SMALL
    assert not bench.host_row('h1').forced_down
    assert bench.host_row('h1').epoch == host.epoch


def test_a_build_that_had_not_begun_on_a_silent_host_moves_and_may_come_back(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)

    bench.fall_silent(host)

    operation = bench.operation(server_id)
    assert (operation.state, operation.host_id, operation.excluded_json) == (states.QUEUED, None, '[]')
    assert bench.used(host) == NOTHING
    assert bench.residues(host) == {}
    assert bench.scheduler.builds[-1].excluded_hosts == ()


def test_a_build_that_ran_on_a_silent_host_moves_and_leaves_a_residue(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    bench.fall_silent(host)

    operation = bench.operation(server_id)
    assert (operation.state, operation.host_id, operation.excluded_json) == (states.QUEUED, None, f'[{host.id}]')
    assert bench.used(host) == SMALL
    assert bench.residues(host) == {server_id: 1}
    assert bench.scheduler.builds[-1].excluded_hosts == (host.id,)


def test_a_moved_build_ends_on_the_other_host(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.fall_silent(host)
    other = bench.host('alive0')

    bench.claim(server_id, other)
    bench.begin(server_id, other)
    bench.finish(server_id, other)

    assert bench.server(server_id).vm_state == states.ACTIVE
    assert bench.operation(server_id).attempt == 2
    assert bench.used(host) == bench.used(other) == SMALL


@pytest.mark.parametrize('kind', [states.STOP, states.SOFT_REBOOT, states.HARD_REBOOT, states.SNAPSHOT])
@pytest.mark.parametrize('begun', [True, False])
def test_other_operations_wait_for_a_silent_host(bench: Bench, host: Host, kind: str, begun: bool) -> None:
    server_id = bench.active(host)
    bench.ask(kind, server_id)
    if begun:
        bench.begin(server_id, host)
    before = bench.operation(server_id)

    bench.fall_silent(host)

    after = bench.operation(server_id)
    assert (after.state, after.attempt) == (before.state, before.attempt)


def test_a_host_that_is_heard_of_again_is_up_if_it_is_clean(bench: Bench, host: Host) -> None:
    bench.fall_silent(host)

    answer = bench.heartbeat(host)

    assert answer.registered
    assert bench.host_row('h1').up


def test_a_host_that_is_heard_of_again_is_told_its_residues_and_up_when_it_is_clean(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.fall_silent(host)

    answer = bench.heartbeat(host)
    assert answer.residues == (residue(server_id, 1),)
    assert not bench.host_row('h1').up

    bench.cleaned(host, server_id)
    assert bench.host_row('h1').up
    assert bench.residues(host) == {}
    assert bench.used(host) == NOTHING


def test_a_host_is_up_only_when_all_its_residues_are_clean(bench: Bench, host: Host) -> None:
    server_ids = [bench.building(host) for _ in range(2)]
    bench.fall_silent(host)

    bench.cleaned(host, server_ids[0])
    assert not bench.host_row('h1').up
    assert bench.used(host) == SMALL
    bench.cleaned(host, server_ids[1])
    assert bench.host_row('h1').up


def test_an_agent_that_starts_with_residues_is_down_until_they_are_clean(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.fall_silent(host)

    answer = bench.register('h1')

    assert answer.residues == (residue(server_id, 1),)
    assert not bench.host_row('h1').up
    bench.cleaned(host, server_id)
    assert bench.host_row('h1').up


def test_a_residue_is_told_even_to_a_host_that_is_up(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.fall_silent(host)
    bench.change(models.Host, {'name': 'h1'}, {'up': True})  # whatever went wrong

    assert bench.heartbeat(host).residues == (residue(server_id, 1),)
    bench.cleaned(host, server_id)
    assert bench.used(host) == NOTHING


def test_what_was_cleaned_twice_is_freed_once(bench: Bench, host: Host) -> None:
    kept, moved = bench.active(host), bench.building(host)
    bench.fall_silent(host)

    for _ in range(3):
        bench.cleaned(host, moved)

    assert bench.used(host) == SMALL
    assert bench.server(kept).vm_state == states.ACTIVE


def test_a_host_that_speaks_at_the_last_moment_is_not_down(bench: Bench, host: Host) -> None:
    bench.silence(host)
    found = bench.database.read(lambda conn: hosts.silent(conn, bench.settings.host_down_s))
    bench.heartbeat(host)

    for host_id in found:
        bench.conductor.reconciler._mark_down(host_id)

    assert found.keys() == {host.id}
    assert bench.host_row('h1').up
