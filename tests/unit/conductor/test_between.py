"""What falls between the parts: a guest that no report explains, capacity that nobody frees, a host that is away."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.objects.operation import PowerReport
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import residue

# Capacity


def test_a_build_that_was_given_up_while_its_agent_held_nothing_frees_its_capacity(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.expire(server_id)
    bench.look()
    assert bench.used(host) != (0, 0, 0)

    assert bench.heartbeat(host).residues == (residue(server_id, 1),)
    bench.cleaned(host, server_id)

    assert bench.used(host) == (0, 0, 0)
    assert bench.heartbeat(host).residues == ()


def test_a_server_in_error_that_has_run_is_not_taken_for_a_residue(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)
    bench.expire(server_id)
    bench.look()

    assert bench.server(server_id).vm_state == states.ERROR
    assert bench.heartbeat(host).residues == ()


def test_a_build_that_runs_is_not_taken_for_a_residue(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    assert bench.heartbeat(host, server_id).residues == ()


# What a guest is found to do when an operation ends: its agent does not tell it again


@pytest.mark.parametrize('succeeded', [True, False])
@pytest.mark.parametrize('kind', [states.SNAPSHOT, states.SOFT_REBOOT])
def test_a_guest_that_is_off_when_an_operation_ends_is_stopped(
    bench: Bench, host: Host, kind: str, succeeded: bool
) -> None:
    server_id = bench.active(host)
    bench.running(kind, server_id, host)

    bench.finish(server_id, host, succeeded, power_state=states.SHUTDOWN)

    server = bench.server(server_id)
    assert (server.vm_state, server.power_state) == (states.STOPPED, states.SHUTDOWN)


def test_a_stop_that_failed_leaves_the_power_state_as_it_was_found(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)

    bench.finish(server_id, host, False, power_state=states.RUNNING)

    server = bench.server(server_id)
    assert (server.vm_state, server.power_state) == (states.ACTIVE, states.RUNNING)


# A host that is down


def test_what_runs_on_a_host_that_is_down_fails_at_its_deadline_and_not_before(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SNAPSHOT, server_id, host)
    bench.fall_silent(host)
    before = bench.operation(server_id)

    for _ in range(2 * bench.settings.tries):
        bench.due(server_id)
        bench.look()

    now = bench.operation(server_id)
    assert (now.state, now.tries, now.attempt) == (states.STARTED, before.tries, before.attempt)


def test_the_fault_of_what_waited_for_a_host_says_that_the_host_is_down(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.STOP, server_id)
    bench.fall_silent(host)

    bench.expire(server_id)
    bench.look()

    assert bench.fault(server_id) == (
        'stop did not end within 180 s on host h1. The host is down: ask again when its agent is back'
    )


# A host that is forced down, and whose agent is there all the same


def _forced_down(bench: Bench, host: Host) -> Host:
    """The operator's word was committed, and the conductor died before it acted on it."""
    row = bench.host_row(host.name)
    bench.change(models.Host, {'id': host.id}, {'forced_down': True, 'up': False, 'epoch': row.epoch + 1})
    return bench.host(host.name)


def test_a_build_does_not_commit_on_a_host_that_is_forced_down(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    host = _forced_down(bench, host)

    verdict = bench.finish(server_id, host)

    assert (verdict.accepted, verdict.wanted) == (False, states.WANT_ABSENT)
    assert bench.operation(server_id).state == states.QUEUED
    assert bench.residues(host) == {server_id: 1}


def test_no_guest_is_to_be_started_on_a_host_that_is_forced_down(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    host = _forced_down(bench, host)

    assert [guest.wanted for guest in bench.register(host.name).guests] == [states.WANT_LEAVE]
    paused = PowerReport(server_id=server_id, power_state=states.POWER_PAUSED, sequence=1)
    assert bench.call('power_states', host=host.name, epoch=host.epoch, reports=(paused,)) == ()
