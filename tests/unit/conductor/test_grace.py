"""When it was us who were away, nothing is over: no lease, and no host is down."""

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def _looked(bench: Bench, seconds_ago: float) -> None:
    """Somebody looked for the last time so long ago (in the future, if negative)."""
    bench.grace_over()
    bench.change(models.Tick, {'id': 1}, {'last_tick_at': utc_now(-seconds_ago)})


@pytest.fixture
def crowd(bench: Bench) -> list[Host]:
    """Six hosts."""
    return [bench.host(f'h{number}') for number in range(6)]


def _up(bench: Bench) -> int:
    return sum(row.up for row in bench.rows(models.Host))


@pytest.mark.parametrize('seconds', [60, -3600])
def test_after_a_gap_or_a_clock_that_went_back_no_lease_is_over_and_no_host_is_down(
    bench: Bench, crowd: list[Host], seconds: float
) -> None:
    server_id = bench.building(crowd[0])
    bench.due(server_id)
    bench.silence(crowd[1])
    _looked(bench, seconds)

    bench.conductor.reconciler.look()
    bench.conductor.reconciler.look()

    assert bench.operation(server_id).attempt == 1
    assert _up(bench) == 6


def test_when_the_grace_is_over_leases_and_hosts_end(bench: Bench, crowd: list[Host]) -> None:
    server_id = bench.building(crowd[0])
    bench.due(server_id)
    bench.silence(crowd[1])
    _looked(bench, 60)
    bench.conductor.reconciler.look()

    bench.pass_s(bench.settings.grace_s + 1)
    bench.heartbeat(crowd[0])
    bench.conductor.reconciler.look()

    assert bench.operation(server_id).attempt == 2
    assert not bench.host_row('h1').up


def test_a_short_gap_is_no_grace(bench: Bench, crowd: list[Host]) -> None:
    bench.silence(crowd[1])
    _looked(bench, 5)

    bench.conductor.reconciler.look()

    assert not bench.host_row('h1').up


def test_the_very_first_look_is_a_grace(bench: Bench, crowd: list[Host]) -> None:
    bench.silence(crowd[1])

    bench.conductor.reconciler.look()

    assert _up(bench) == 6


def test_in_a_grace_what_has_not_begun_is_still_woken_up(bench: Bench) -> None:
    server_id = bench.create()
    bench.due(server_id)
    _looked(bench, 60)

    bench.conductor.reconciler.look()

    assert [spec.server_id for spec in bench.scheduler.builds] == [server_id]


def test_what_has_begun_may_end_in_a_grace_although_its_deadline_is_over(bench: Bench, crowd: list[Host]) -> None:
    server_id = bench.building(crowd[0])
    bench.expire(server_id)
    _looked(bench, 60)

    bench.conductor.reconciler.look()

    assert bench.operation(server_id).state == states.STARTED


def test_in_a_grace_the_deadline_of_what_has_not_begun_is_a_deadline(bench: Bench) -> None:
    server_id = bench.create()
    bench.expire(server_id)
    _looked(bench, 60)

    bench.conductor.reconciler.look()

    assert bench.operation(server_id).state == states.FAILED


def test_half_of_the_hosts_silent_at_once_starts_a_grace(bench: Bench, crowd: list[Host]) -> None:
    for host in crowd[:3]:
        bench.silence(host)

    bench.look()
    assert _up(bench) == 6
    bench.conductor.reconciler.look()
    assert _up(bench) == 6


def test_less_than_half_of_the_hosts_go_down_at_once(bench: Bench, crowd: list[Host]) -> None:
    for host in crowd[:2]:
        bench.silence(host)

    bench.look()

    assert _up(bench) == 4


def test_hosts_that_are_silent_after_their_grace_are_down(bench: Bench, crowd: list[Host]) -> None:
    for host in crowd[:3]:
        bench.silence(host)
    bench.look()

    bench.pass_s(bench.settings.grace_s + 1)
    for host in crowd[3:]:
        bench.heartbeat(host)
    bench.conductor.reconciler.look()

    assert _up(bench) == 3


def test_each_silence_has_one_grace_however_many_conductors_there_are(bench: Bench, crowd: list[Host]) -> None:
    others = [bench.new_conductor() for _ in range(3)]
    for host in crowd[:3]:
        bench.silence(host)
    bench.look()

    bench.pass_s(bench.settings.grace_s + 1)
    for host in crowd[3:]:
        bench.heartbeat(host)
    for other in others:
        other.reconciler.look()
        other.claimer.stop()

    assert _up(bench) == 3


def test_a_second_fall_has_a_grace_of_its_own(bench: Bench, crowd: list[Host]) -> None:
    for host in crowd[:3]:
        bench.silence(host)
    bench.look()
    bench.pass_s(bench.settings.grace_s + 60)
    for host in crowd[3:]:
        bench.silence(host, 36)

    bench.conductor.reconciler.look()

    assert _up(bench) == 6


def test_a_single_host_may_go_down(bench: Bench, host: Host) -> None:
    bench.silence(host)

    bench.look()

    assert not bench.host_row('h1').up


def test_after_a_clock_that_went_back_nothing_waits_for_the_time_that_was(bench: Bench, crowd: list[Host]) -> None:
    queued, running = bench.create(), bench.building(crowd[0])
    bench.silence(crowd[1], -3600)
    for server_id in (queued, running):
        operation = bench.operation(server_id)
        values = {'next_run_at': utc_now(3605), 'deadline_at': utc_now(4500)}
        bench.change(models.Operation, {'id': operation.id}, values)
    _looked(bench, -3600)

    bench.conductor.reconciler.look()

    for server_id in (queued, running):
        assert bench.wait_s(server_id) <= 60
        remaining = bench.operation(server_id).deadline_at - bench.rows(models.Tick)[0].last_tick_at
        assert 890 < remaining.total_seconds() <= 901
    bench.pass_s(60)
    for host in crowd[2:]:
        bench.heartbeat(host)
    bench.conductor.reconciler.look()
    assert not bench.host_row('h1').up
