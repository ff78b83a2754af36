"""Heartbeats and power reports: what is renewed, refused, shown and wanted."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.objects.operation import PowerReport, WantedGuest
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def test_a_heartbeat_of_what_runs_is_not_refused(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    assert bench.heartbeat(host, server_id).refusals == ()


def test_what_waits_for_its_turn_is_not_woken_up(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)
    bench.due(server_id)

    bench.heartbeat(host, server_id, running=False)

    assert 29 < bench.wait_s(server_id) <= 30


def test_what_was_moved_is_refused_and_wanted_absent(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.fall_silent(host)

    (refusal,) = bench.heartbeat(host, server_id).refusals

    assert (refusal.server_id, refusal.wanted) == (server_id, states.WANT_ABSENT)
    assert bench.wait_s(server_id) <= 5  # a heartbeat from the old host does not put off the new choice


def test_what_was_replaced_is_refused_and_left_to_the_newer_one(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SOFT_REBOOT, server_id, host)
    held = bench.held(server_id)
    bench.ask(states.HARD_REBOOT, server_id)

    (refusal,) = bench.beat(host, held).refusals

    assert (refusal.operation_id, refusal.wanted) == (held.operation_id, states.WANT_LEAVE)


def test_what_was_driven_again_on_the_same_host_is_neither_refused_nor_renewed(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    held = bench.held(server_id)
    bench.due(server_id)
    bench.look()
    before = bench.operation(server_id)

    assert bench.beat(host, held).refusals == ()
    assert bench.operation(server_id) == before


def test_an_operation_from_before_a_restored_backup_is_refused_and_left_alone(bench: Bench, host: Host) -> None:
    held = bench.held(bench.building(host)).__class__(operation_id='?', server_id='?', attempt=1, running=True)

    (refusal,) = bench.beat(host, held).refusals

    assert refusal.wanted == states.WANT_LEAVE


@pytest.mark.parametrize(
    ('step', 'task'), [('network', 'networking'), ('disk', 'block_device_mapping'), ('start', 'spawning')]
)
def test_the_steps_of_a_build_are_shown(bench: Bench, host: Host, step: str, task: str) -> None:
    server_id = bench.building(host)

    bench.heartbeat(host, server_id, step=step)

    assert bench.server(server_id).task_state == task


def test_a_step_that_nobody_knows_changes_nothing(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    bench.heartbeat(host, server_id, step='polish')

    assert bench.server(server_id).task_state == 'spawning'


# Power states: first.md's check


def _told(bench: Bench, host: Host, server_id: str, power_state: int, sequence: int | None = None) -> list[WantedGuest]:
    newest = int(bench.server(server_id).sequence)
    report = PowerReport(
        server_id=server_id, power_state=power_state, sequence=newest if sequence is None else sequence
    )
    return list(bench.call('power_states', host=host.name, epoch=host.epoch, reports=(report,)))


@pytest.mark.parametrize(
    ('vm_state', 'power_state', 'becomes', 'wanted'),
    [
        (states.ACTIVE, states.RUNNING, states.ACTIVE, None),
        (states.ACTIVE, states.SHUTDOWN, states.STOPPED, None),
        (states.ACTIVE, states.CRASHED, states.STOPPED, None),
        (states.ACTIVE, states.NOSTATE, states.ACTIVE, None),
        (states.ACTIVE, states.POWER_SUSPENDED, states.ACTIVE, None),
        # Committed, and its agent died before it let the guest run.
        (states.ACTIVE, states.POWER_PAUSED, states.ACTIVE, states.WANT_ON),
        (states.STOPPED, states.SHUTDOWN, states.STOPPED, None),
        (states.STOPPED, states.RUNNING, states.STOPPED, states.WANT_OFF),
        (states.PAUSED, states.SHUTDOWN, states.STOPPED, None),
        (states.PAUSED, states.RUNNING, states.PAUSED, None),
        (states.SUSPENDED, states.SHUTDOWN, states.SUSPENDED, None),
        (states.ERROR, states.RUNNING, states.ERROR, None),
        (states.ERROR, states.SHUTDOWN, states.ERROR, None),
    ],
)
def test_a_power_state_is_noted_and_what_should_be_otherwise_is_said(
    bench: Bench, host: Host, vm_state: str, power_state: int, becomes: str, wanted: str | None
) -> None:
    server_id = bench.active(host)
    bench.change(models.Server, {'id': server_id}, {'vm_state': vm_state})

    told = _told(bench, host, server_id, power_state)

    server = bench.server(server_id)
    assert (server.vm_state, server.power_state) == (becomes, power_state)
    assert [guest.wanted for guest in told] == ([wanted] if wanted else [])


def test_a_server_that_is_worked_on_is_not_judged_by_its_power_state(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)

    (told,) = _told(bench, host, server_id, states.SHUTDOWN, 1)

    assert (told.wanted, told.sequence) == (states.WANT_LEAVE, 1)  # to be looked at again, and not in its name
    assert bench.server(server_id).vm_state == states.ACTIVE


def test_a_guest_that_is_not_committed_has_no_power_state(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    assert [told.wanted for told in _told(bench, host, server_id, states.POWER_PAUSED)] == [states.WANT_LEAVE]
    assert bench.server(server_id).power_state == states.NOSTATE


def test_a_look_from_before_the_last_operation_says_nothing_and_its_agent_hears_of_that(
    bench: Bench, host: Host
) -> None:
    server_id = bench.stopped(host)

    (told,) = _told(bench, host, server_id, states.RUNNING, 1)

    assert (told.wanted, told.sequence) == (states.WANT_LEAVE, 2)
    assert bench.server(server_id).power_state == states.SHUTDOWN


def test_a_look_from_before_a_backup_was_restored_counts(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    assert _told(bench, host, server_id, states.SHUTDOWN, 7) == []
    assert bench.server(server_id).vm_state == states.STOPPED


def test_a_guest_of_another_host_is_not_judged(bench: Bench, host: Host) -> None:
    server_id, other = bench.active(host), bench.host('other')

    assert _told(bench, other, server_id, states.SHUTDOWN) == []
    assert bench.server(server_id).vm_state == states.ACTIVE


def test_daemons_that_report_are_listed_and_up(bench: Bench, host: Host) -> None:
    bench.call('service_report', binary='cloudplane-scheduler', host='ctl')
    bench.call('service_report', binary='cloudplane-scheduler', host='ctl')

    found = {service.binary: service for service in bench.call('service_list')}

    assert {name: service.up for name, service in found.items()} == {
        'cloudplane-compute': True,
        'cloudplane-scheduler': True,
    }
    bench.pass_s(60)
    assert not any(service.up for service in bench.call('service_list'))
