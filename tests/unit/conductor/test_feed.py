"""The feed of host changes: whole rows, tombstones, the first at once, and nothing is lost by a failure for ever."""

from cloudplane.conductor.db import models
from cloudplane.conductor.feed import HostFeed
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def test_changes_go_out_as_whole_rows_with_a_rising_generation(bench: Bench, host: Host) -> None:
    feed = bench.conductor.feed
    feed.send()
    bench.scheduled(host)
    feed.send()

    first, second = (changes.rows[0] for changes in bench.scheduler.changes)
    assert (first.used_vcpus, second.used_vcpus) == (0, 1)
    assert second.generation > first.generation
    assert (second.name, second.zone, second.up, second.limit_vcpus) == ('h1', 'nova', True, 8)


def test_what_changed_often_goes_out_once(bench: Bench, host: Host) -> None:
    bench.conductor.feed.send()
    for _ in range(3):
        bench.scheduled(host)

    bench.conductor.feed.send()

    assert [len(changes.rows) for changes in bench.scheduler.changes] == [1, 1]


def test_nothing_new_is_no_message(bench: Bench, host: Host) -> None:
    for _ in range(2):
        bench.conductor.feed.send()

    assert len(bench.scheduler.changes) == 1


def test_a_host_that_is_gone_is_a_tombstone(bench: Bench, host: Host) -> None:
    feed = HostFeed(bench.database, bench.scheduler)
    feed.changed([host.id, 99])
    feed.send()

    assert [row.id for row in bench.scheduler.changes[-1].rows] == [host.id]
    assert bench.scheduler.changes[-1].removed == (99,)


def test_a_change_goes_out_at_once_and_the_last_one_when_it_stops(bench: Bench, host: Host) -> None:
    feed = HostFeed(bench.database, bench.scheduler)
    feed.start()

    feed.changed([host.id])
    assert bench.scheduler.heard.acquire(timeout=10)
    feed.changed([], ['the last claim'])
    feed.stop()

    assert bench.scheduler.changes[-1].claims_ended == ('the last claim',)


def test_the_feed_outlives_whatever_goes_wrong(bench: Bench, host: Host) -> None:
    feed = HostFeed(bench.database, bench.scheduler)
    kept = bench.host_row('h1').inventory_json
    bench.change(models.Host, {'id': host.id}, {'inventory_json': 'broken'})
    feed.changed([host.id])
    feed.send()
    bench.change(models.Host, {'id': host.id}, {'inventory_json': kept})
    bench.scheduler.unreachable = True
    feed.changed([], ['claim'])
    feed.send()
    bench.scheduler.unreachable = False

    feed.changed([], ['next'])
    feed.send()

    assert bench.scheduler.changes[-1].claims_ended == ('next',)


def test_schedulers_can_compare_generations_and_fetch_rows(bench: Bench, host: Host) -> None:
    other = bench.host('other')
    bench.scheduled(host)

    generations = {item.id: item.generation for item in bench.call('host_generations')}
    rows = {row.id: row for row in bench.call('host_snapshot')}

    assert generations == {row.id: row.generation for row in rows.values()}
    assert [row.id for row in bench.call('host_rows', host_ids=(other.id, 99))] == [other.id]
    assert rows[host.id].used_vcpus == 1
