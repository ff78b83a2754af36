"""begin and finish: what they change, and that they may be repeated."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.objects.operation import StepRecord
from cloudplane.objects.server import Address
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)
ADDRESS = Address(network='private', address='10.0.0.2', mac='52:54:00:00:00:01')


def test_begin_starts_the_lease_and_shows_the_task(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)

    assert bench.begin(server_id, host).accepted

    operation = bench.operation(server_id)
    assert (operation.state, operation.tries) == (states.STARTED, 0)
    assert bench.server(server_id).task_state == 'spawning'
    assert 29 < bench.wait_s(server_id) <= 30


def test_begin_asked_again_gets_the_same_answer_and_changes_nothing(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    before = bench.operation(server_id)

    assert bench.begin(server_id, host).accepted
    assert bench.operation(server_id) == before


def test_a_committed_build_is_active_with_its_addresses(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    assert bench.finish(server_id, host, addresses=(ADDRESS,)).accepted

    shown = bench.call('server_get', server_id=server_id, project_id='p1')
    assert (shown.vm_state, shown.task_state, shown.power_state) == (states.ACTIVE, None, states.RUNNING)
    assert shown.addresses == (ADDRESS,)
    assert shown.launched_at is not None
    assert shown.host == 'h1'


@pytest.mark.parametrize('succeeded', [True, False])
def test_finish_told_again_gets_the_same_answer_and_changes_nothing(bench: Bench, host: Host, succeeded: bool) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)
    report = bench.report(server_id, host, succeeded, power_state=states.SHUTDOWN)
    bench.conductor.executor.finish(report)
    before = bench.server(server_id), bench.operation(server_id), bench.rows(models.Fault)

    assert bench.conductor.executor.finish(report).accepted
    assert (bench.server(server_id), bench.operation(server_id), bench.rows(models.Fault)) == before


@pytest.mark.parametrize('clean', [True, False])
def test_a_failed_build_that_is_told_again_gets_the_same_answer(bench: Bench, host: Host, clean: bool) -> None:
    server_id = bench.building(host)
    report = bench.report(server_id, host, succeeded=False, clean=clean)

    assert bench.conductor.executor.finish(report).accepted
    assert bench.conductor.executor.finish(report).accepted
    assert len(bench.rows(models.Fault)) == 1


def test_a_build_that_never_began_cannot_be_committed(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)

    verdict = bench.finish(server_id, host)

    assert (verdict.accepted, verdict.wanted) == (False, states.WANT_LEAVE)
    assert 'has not begun' in verdict.reason
    assert bench.operation(server_id).state == states.SCHEDULED


def test_a_host_may_refuse_a_build_before_it_begins(bench: Bench, host: Host) -> None:
    server_id = bench.scheduled(host)

    assert bench.finish(server_id, host, succeeded=False, clean=True, retryable=True).accepted

    assert bench.operation(server_id).state == states.QUEUED
    assert bench.used(host) == NOTHING
    assert bench.scheduler.builds[-1].excluded_hosts == (host.id,)


def test_a_failed_build_goes_to_another_host_and_not_back(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    bench.finish(server_id, host, succeeded=False, clean=True, retryable=True)

    server, operation = bench.server(server_id), bench.operation(server_id)
    assert (server.vm_state, server.task_state, server.host_id) == (states.BUILDING, 'scheduling', None)
    assert (operation.host_id, operation.message) == (None, 'it broke')
    spec = bench.scheduler.builds[-1]
    assert (spec.excluded_hosts, spec.attempt) == ((host.id,), operation.attempt)


def test_a_build_is_tried_on_three_hosts(bench: Bench) -> None:
    hosts = [bench.host(name) for name in ('a', 'b', 'c')]
    server_id = bench.create()
    for host in hosts:
        bench.claim(server_id, host)
        bench.begin(server_id, host)
        bench.finish(server_id, host, succeeded=False, clean=True, retryable=True)

    assert bench.operation(server_id).state == states.FAILED
    assert bench.operation(server_id).attempt == 3
    assert bench.fault(server_id) == 'it broke (tried on 3 hosts, last on c)'
    assert all(bench.used(host) == NOTHING for host in hosts)


@pytest.mark.parametrize(('retryable', 'clean'), [(False, True), (True, False), (False, False)])
def test_a_build_that_may_not_be_retried_fails_with_its_reason(
    bench: Bench, host: Host, retryable: bool, clean: bool
) -> None:
    server_id = bench.building(host)

    bench.finish(server_id, host, succeeded=False, retryable=retryable, clean=clean, details='Traceback')

    shown = bench.call('server_get', server_id=server_id, project_id=None)
    assert (shown.vm_state, shown.task_state) == (states.ERROR, None)
    assert (shown.fault.code, shown.fault.message, shown.fault.details) == (500, 'it broke', 'Traceback')
    assert bench.used(host) == (NOTHING if clean else SMALL)
    assert bench.usage() == (1, 1, 512)


def test_what_an_unclean_build_holds_is_free_once_its_host_is_clean(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.finish(server_id, host, succeeded=False)

    bench.cleaned(host, server_id)
    bench.cleaned(host, server_id)

    assert bench.used(host) == NOTHING
    assert bench.server(server_id).host_id is None


def test_a_host_cannot_clean_away_a_server_that_rests_there(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    bench.cleaned(host, server_id)

    assert bench.used(host) == SMALL
    assert bench.server(server_id).host_id == host.id


def test_a_failed_power_operation_leaves_the_server_as_it_was(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)

    bench.finish(server_id, host, succeeded=False)

    assert bench.server(server_id).vm_state == states.ACTIVE
    assert bench.server(server_id).task_state is None
    assert bench.fault(server_id) == 'it broke'


def test_a_server_whose_guest_is_unknown_is_in_error(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)

    bench.finish(server_id, host, succeeded=False, guest_unknown=True)

    assert bench.server(server_id).vm_state == states.ERROR


@pytest.mark.parametrize(
    ('kind', 'power_state', 'vm_state'),
    [
        (states.STOP, states.SHUTDOWN, states.STOPPED),
        (states.SOFT_REBOOT, states.RUNNING, states.ACTIVE),
        (states.HARD_REBOOT, states.RUNNING, states.ACTIVE),
        (states.SNAPSHOT, states.RUNNING, states.ACTIVE),
    ],
)
def test_an_operation_ends_where_its_move_says(
    bench: Bench, host: Host, kind: str, power_state: int, vm_state: str
) -> None:
    server_id = bench.active(host)
    bench.running(kind, server_id, host)

    bench.finish(server_id, host, power_state=power_state)

    server = bench.server(server_id)
    assert (server.vm_state, server.task_state, server.power_state) == (vm_state, None, power_state)


def test_a_snapshot_of_a_stopped_server_leaves_it_stopped(bench: Bench, host: Host) -> None:
    server_id = bench.stopped(host)
    bench.running(states.SNAPSHOT, server_id, host)

    bench.finish(server_id, host, power_state=states.SHUTDOWN)

    assert bench.server(server_id).vm_state == states.STOPPED


def test_a_start_ends_active(bench: Bench, host: Host) -> None:
    server_id = bench.stopped(host)
    bench.running(states.START, server_id, host)

    bench.finish(server_id, host)

    assert bench.server(server_id).vm_state == states.ACTIVE


def test_the_steps_are_kept_with_host_and_attempt(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    step = StepRecord(name='disk', started_at='2026-01-01T00:00:00.000001', finished_at='2026-01-01T00:00:01.500000')
    bench.finish(server_id, host, steps=(step,))
    request_id = bench.operation(server_id).request_id

    record = bench.call('operation_get', server_id=server_id, project_id='p1', request_id=request_id)

    (kept,) = record.steps
    assert (kept.name, kept.host, kept.attempt, kept.result) == ('disk', 'h1', 1, 'Success')
    assert (kept.started_at, kept.finished_at) == (step.started_at, step.finished_at)
