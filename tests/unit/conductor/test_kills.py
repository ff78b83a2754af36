"""The conductor dies at each of its fault points, and everything that was accepted still ends right."""

from collections.abc import Iterator

import pytest

from cloudplane import faultpoints, states
from cloudplane.conductor.db import models
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.world import Strikes, World, conductor_points


@pytest.fixture(autouse=True)
def no_hook_afterwards() -> Iterator[None]:
    """A hook is of one test alone."""
    yield
    faultpoints.set_hook(None)


def _play(world: World) -> None:
    """Boot, stop, lose a host in mid-build, force another one down in mid-delete, have both back, delete everything."""
    bench = world.bench
    for name in ('h1', 'h2', 'h3'):
        world.register(name)

    first = world.create()
    world.settle()
    assert bench.server(first).vm_state == states.ACTIVE
    world.ask(states.STOP, first)
    world.settle()
    assert bench.server(first).vm_state == states.STOPPED

    home = _host_of(bench, first)
    second = world.create()
    world.slow = {home}
    world.until(lambda: bench.operation(second).state == states.STARTED)  # it runs, and its host falls silent
    world.slow.clear()
    world.silent = {_host_of(bench, second)}
    (lost,) = world.silent
    bench.silence(bench.named(lost))
    world.settle()
    assert bench.server(second).vm_state == states.ACTIVE
    assert _host_of(bench, second) != lost
    world.silent.clear()
    world.settle_hosts()

    off = _host_of(bench, second)
    world.silent = {off}
    world.ask(states.DELETE, second)
    world.force_down(off, True)
    world.settle()
    assert bench.server(second).deleted
    world.silent.clear()
    world.register(off)
    world.force_down(off, False)
    world.settle_hosts()

    world.ask(states.DELETE, first)
    world.settle()


def _host_of(bench: Bench, server_id: str) -> str:
    return str(next(row.name for row in bench.rows(models.Host) if row.id == bench.server(server_id).host_id))


def _check(bench: Bench) -> None:
    """Nothing is left, nothing is lost, and every host is ready for work."""
    assert all(row.deleted for row in bench.rows(models.Server))
    assert {row.state for row in bench.rows(models.Operation)} == {states.DONE}
    assert bench.rows(models.Allocation) == []
    assert bench.rows(models.Residue) == []
    assert bench.usage() == (0, 0, 0)
    for row in bench.rows(models.Host):
        assert (row.used_vcpus, row.used_memory_mb, row.used_disk_gb) == (0, 0, 0)
        assert (row.up, row.forced_down) == (True, False)
    assert bench.audit() == ()


def test_the_play_reaches_every_point_when_nobody_dies(bench: Bench) -> None:
    reached: set[str] = set()
    faultpoints.set_hook(reached.add)

    _play(World(bench))

    assert reached >= set(conductor_points())
    _check(bench)


@pytest.mark.parametrize('again', [False, True], ids=['once', 'again and again'])
@pytest.mark.parametrize('point', conductor_points())
def test_what_was_accepted_ends_right_when_the_conductor_dies(bench: Bench, point: str, again: bool) -> None:
    strikes = Strikes(point, again=again)
    faultpoints.set_hook(strikes)

    _play(World(bench))

    assert strikes.struck > 0, f'{point} was never reached'
    _check(bench)
