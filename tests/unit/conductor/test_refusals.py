"""Who comes too late with begin or finish is refused, and told what to make of the guest."""

import pytest

from cloudplane import exceptions, states
from cloudplane.objects.operation import Verdict
from cloudplane.objects.server import Address
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)
ADDRESS = Address(network='private', address='10.0.0.2', mac='52:54:00:00:00:01')


def _refused(verdict: Verdict, wanted: str, reason: str) -> None:
    assert not verdict.accepted
    assert verdict.wanted == wanted
    assert reason in verdict.reason


def test_an_operation_that_nobody_knows_is_left_alone(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    _refused(bench.finish(server_id, host, operation_id='?'), states.WANT_LEAVE, 'no such operation')
    _refused(bench.begin(server_id, host, operation_id='?'), states.WANT_LEAVE, 'no such operation')


def test_an_operation_of_another_server_is_left_alone(bench: Bench, host: Host) -> None:
    one, other = bench.building(host), bench.building(host)

    verdict = bench.finish(one, host, operation_id=bench.operation(other).id)

    _refused(verdict, states.WANT_LEAVE, 'no such operation')
    assert bench.server(other).vm_state == states.BUILDING


def test_a_late_attempt_is_refused_while_the_newer_one_works(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.due(server_id)
    bench.look()  # its lease is over: attempt 2

    _refused(bench.begin(server_id, host, attempt=1), states.WANT_LEAVE, 'attempt 1 was replaced by 2')
    _refused(bench.finish(server_id, host, attempt=1), states.WANT_LEAVE, 'attempt 1 was replaced by 2')
    assert bench.finish(server_id, host, attempt=2).accepted


def test_the_worker_of_a_build_that_was_moved_makes_its_guest_absent(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    late = bench.report(server_id, host)
    bench.fall_silent(host)
    _refused(bench.conductor.executor.finish(late), states.WANT_ABSENT, 'is queued on no host')

    bench.claim(server_id, bench.host('alive0'))

    _refused(bench.conductor.executor.finish(late), states.WANT_ABSENT, 'is scheduled on alive0')


def test_the_worker_of_a_build_that_was_given_up_makes_its_guest_absent_and_says_so(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.expire(server_id)
    bench.look()
    assert bench.used(host) == SMALL

    _refused(bench.finish(server_id, host), states.WANT_ABSENT, 'is failed')
    # It failed by itself and has cleaned up: the conductor must hear of that once more, in `cleaned`.
    _refused(bench.finish(server_id, host, succeeded=False, clean=True), states.WANT_ABSENT, 'is failed')
    bench.cleaned(host, server_id)
    assert bench.used(host) == NOTHING


def test_the_worker_of_a_stop_that_was_given_up_leaves_its_guest(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)
    bench.expire(server_id)
    bench.look()

    _refused(bench.finish(server_id, host), states.WANT_LEAVE, 'is failed')


def test_the_worker_of_what_was_replaced_leaves_its_guest_to_the_newer_one(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SOFT_REBOOT, server_id, host)
    late = bench.report(server_id, host)
    bench.ask(states.HARD_REBOOT, server_id)

    _refused(bench.conductor.executor.finish(late), states.WANT_LEAVE, 'is superseded')


def test_the_worker_of_what_a_delete_replaced_makes_its_guest_absent_when_the_delete_is_done(
    bench: Bench, host: Host
) -> None:
    server_id = bench.building(host)
    late = bench.report(server_id, host)
    bench.ask(states.DELETE, server_id)
    _refused(bench.conductor.executor.finish(late), states.WANT_LEAVE, 'is superseded')
    bench.finish(server_id, host)

    _refused(bench.conductor.executor.finish(late), states.WANT_ABSENT, 'is superseded')


def test_an_agent_of_an_old_epoch_must_register_first(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.call('host_force_down', host=host.name, forced_down=True)

    for ask in (bench.begin, bench.finish):
        with pytest.raises(exceptions.StaleEpoch, match='epoch 2, not 1'):
            ask(server_id, host)


def test_an_agent_of_an_old_epoch_does_not_hear_again_that_its_build_was_committed(bench: Bench, host: Host) -> None:
    # It was cut off while it waited for the answer. Its guest is paused; the server may run elsewhere by now.
    server_id = bench.building(host)
    report = bench.report(server_id, host)
    bench.conductor.executor.finish(report)
    bench.call('host_force_down', host=host.name, forced_down=True)

    with pytest.raises(exceptions.StaleEpoch):
        bench.conductor.executor.finish(report)


def test_a_committed_build_whose_server_was_deleted_since_is_not_let_run(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    report = bench.report(server_id, host)
    bench.conductor.executor.finish(report)
    bench.fall_silent(host)
    bench.ask(states.DELETE, server_id)

    _refused(bench.conductor.executor.finish(report), states.WANT_ABSENT, 'is done')


def test_an_unknown_host_is_refused(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)

    with pytest.raises(exceptions.HostNotFound):
        bench.begin(server_id, Host(9, 'nowhere', 1))
