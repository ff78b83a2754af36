"""How the host table is kept true."""

import threading

import pytest

from cloudplane.objects.host import HostChanges
from cloudplane.scheduler import feed
from cloudplane.scheduler.feed import Feed
from cloudplane.scheduler.host_table import HostTable
from tests.unit.scheduler.conductor_double import ConductorDouble
from tests.unit.scheduler.fleet import Clock, host


class Scene:
    """A feed with an empty table."""

    def __init__(self, conductor: ConductorDouble) -> None:
        self.table = HostTable(10.0, Clock())
        self.loaded = threading.Event()
        self.feed = Feed(self.table, conductor, resync_s=0.001, on_loaded=self.loaded.set)

    def names(self) -> set[str]:
        view = self.table.view()
        return {view.name(index) for index in range(len(view))}


class FewerTurns(threading.Event):
    """A stop event that is set after it was waited for so many times, and notes how long it should have lasted."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._turns = turns
        self.waits_s: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout)
        return len(self.waits_s) > self._turns


def test_the_snapshot_is_asked_for_until_the_conductor_answers() -> None:
    scene = Scene(ConductorDouble((host(1),), failures=8))
    stop = FewerTurns(turns=8)

    scene.feed.run(stop)

    assert scene.loaded.is_set()
    assert scene.names() == {'h1'}
    assert stop.waits_s == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.001]


def test_a_stop_ends_the_wait_for_the_conductor() -> None:
    scene = Scene(ConductorDouble(failures=100))

    scene.feed.run(FewerTurns(turns=3))

    assert not scene.loaded.is_set()
    assert not scene.table.loaded


def test_changes_that_come_before_the_snapshot_are_kept() -> None:
    scene = Scene(ConductorDouble((host(1), host(2))))

    scene.feed.apply(HostChanges(rows=(host(3),), removed=(2,)))
    scene.feed.load()

    assert scene.names() == {'h1', 'h3'}


def test_what_lost_messages_left_stale_is_found_by_the_next_comparison() -> None:
    conductor = ConductorDouble((host(1), host(2), host(3)))
    scene = Scene(conductor)
    scene.feed.load()
    conductor.rows = (host(1), host(2, generation=2, used_vcpus=5), host(4))

    scene.feed.compare()

    assert scene.names() == {'h1', 'h2', 'h4'}
    assert int(scene.table.view().free_vcpus.min()) == 3
    assert conductor.asked_rows == [(2, 3, 4)]


def test_nothing_is_fetched_when_nothing_differs() -> None:
    conductor = ConductorDouble((host(1),))
    scene = Scene(conductor)
    scene.feed.load()

    scene.feed.compare()

    assert conductor.asked_rows == []


def test_many_rows_are_fetched_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, 'ROWS_PER_CALL', 2)
    conductor = ConductorDouble(tuple(host(number) for number in range(1, 6)))
    scene = Scene(conductor)

    scene.feed.compare()

    assert conductor.asked_rows == [(1, 2), (3, 4), (5,)]
    assert len(scene.names()) == 5


def test_a_comparison_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    conductor = ConductorDouble((host(1),))
    scene = Scene(conductor)

    class ConductorGoesAway(FewerTurns):
        def wait(self, timeout: float | None = None) -> bool:
            conductor.rows = (host(1), host(2))
            conductor.failures = 1 if not self.waits_s else 0
            return super().wait(timeout)

    scene.feed.run(ConductorGoesAway(turns=2))

    assert scene.names() == {'h1', 'h2'}
    assert 'The comparison of the hosts failed, to be tried again' in caplog.text


def test_an_unforeseen_failure_does_not_end_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise KeyError('oops')

    assert not feed.attempted('Something', fails)
    assert 'KeyError' in caplog.text
