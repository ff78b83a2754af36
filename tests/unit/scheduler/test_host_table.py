"""The host table: what it takes from the feed, and what it assumes."""

from cloudplane.objects.host import HostChanges, HostGeneration, HostRow
from cloudplane.scheduler.host_table import TOMBSTONE_S, HostTable
from tests.unit.scheduler.fleet import SMALL, Clock, host, request, table


def free_memory_mb(hosts: HostTable) -> dict[str, int]:
    view = hosts.view()
    return {view.name(index): int(view.free_memory_mb[index]) for index in range(len(view))}


def generations(*rows: HostRow) -> list[HostGeneration]:
    return [HostGeneration(id=row.id, generation=row.generation) for row in rows]


def test_the_table_grows_with_the_fleet() -> None:
    hosts = table(host(number, used_memory_mb=number) for number in range(1, 101))

    assert free_memory_mb(hosts) == {f'h{number}': 8192 - number for number in range(1, 101)}


def test_a_state_shows_what_the_row_said() -> None:
    state = (
        table([host(1), host(7, zone='east', used_disk_gb=5, architecture='aarch64', disabled=True)]).view().state(1)
    )

    assert (state.id, state.name, state.zone, state.architecture) == (7, 'h7', 'east', 'aarch64')
    assert (state.up, state.disabled, state.limit_disk_gb, state.free_disk_gb) == (True, True, 80, 75)


def test_a_host_is_available_only_when_up_enabled_and_not_forced_down() -> None:
    rows = [host(1), host(2, up=False), host(3, disabled=True), host(4, forced_down=True)]

    assert table(rows).view().available.tolist() == [True, False, False, False]


def test_a_newer_row_replaces_an_older_one_and_not_the_other_way_round() -> None:
    hosts = table([host(1, generation=5)])

    hosts.apply(HostChanges(rows=(host(1, generation=4, used_memory_mb=1),)))
    assert free_memory_mb(hosts) == {'h1': 8192}
    hosts.apply(HostChanges(rows=(host(1, generation=6, used_memory_mb=2),)))
    assert free_memory_mb(hosts) == {'h1': 8190}


def test_a_snapshot_does_not_overwrite_what_the_feed_brought_first() -> None:
    hosts = HostTable(10.0, Clock())
    hosts.apply(HostChanges(rows=(host(1, generation=5, used_memory_mb=1),), removed=(2,)))

    hosts.load([host(1, generation=4), host(2), host(3)])

    assert free_memory_mb(hosts) == {'h1': 8191, 'h3': 8192}


def test_a_removed_host_leaves_no_gap_and_the_others_stay_what_they_were() -> None:
    hosts = table([host(number, used_memory_mb=number) for number in range(1, 6)])

    hosts.apply(HostChanges(removed=(2, 5, 99)))
    hosts.apply(HostChanges(rows=(host(4, generation=2, used_memory_mb=44), host(6))))

    assert free_memory_mb(hosts) == {'h1': 8191, 'h3': 8189, 'h4': 8148, 'h6': 8192}
    assert sorted(hosts.view().ids.tolist()) == [1, 3, 4, 6]


def test_a_removed_host_does_not_come_back_by_a_late_message_until_its_tombstone_ends() -> None:
    clock = Clock()
    hosts = table([host(1)], clock)
    hosts.apply(HostChanges(removed=(1,)))

    hosts.apply(HostChanges(rows=(host(1, generation=2),)))
    assert len(hosts) == 0
    clock.pass_s(TOMBSTONE_S)
    hosts.expire()
    hosts.apply(HostChanges(rows=(host(1, generation=2),)))
    assert len(hosts) == 1


def test_an_assumption_takes_room_until_its_claim_ended() -> None:
    hosts = table([host(1)])

    hosts.assume(request(), 1)
    assert free_memory_mb(hosts) == {'h1': 8192 - SMALL.memory_mb}
    assert hosts.view().free_vcpus.tolist() == [7]
    assert hosts.view().free_disk_gb.tolist() == [70]
    hosts.apply(HostChanges(rows=(host(1, generation=2, used_memory_mb=1024),), claims_ended=('operation-1', 'other')))
    assert free_memory_mb(hosts) == {'h1': 8192 - 1024}


def test_an_assumption_ends_when_nothing_was_heard_for_too_long() -> None:
    clock = Clock()
    hosts = table([host(1)], clock)
    hosts.assume(request(1), 1)
    clock.pass_s(6)
    hosts.assume(request(2), 1)

    clock.pass_s(4)
    hosts.expire()

    assert free_memory_mb(hosts) == {'h1': 8192 - 1024}
    assert hosts.is_assumed(request(2))
    assert not hosts.is_assumed(request(1))


def test_an_operation_is_assumed_once_even_if_it_is_decided_twice() -> None:
    hosts = table([host(1), host(2)])

    hosts.assume(request(), 1)
    hosts.assume(request(attempt=1), 2)

    assert free_memory_mb(hosts) == {'h1': 8192, 'h2': 8192 - 1024}


def test_an_assumption_covers_neither_a_later_attempt_nor_one_that_excludes_a_host() -> None:
    hosts = table([host(1)])
    hosts.assume(request(), 1)

    assert hosts.is_assumed(request())
    assert not hosts.is_assumed(request(attempt=1))
    assert not hosts.is_assumed(request(excluded_hosts=(1,)))


def test_the_assumptions_of_a_removed_host_go_with_it() -> None:
    clock = Clock()
    hosts = table([host(1), host(2)], clock)
    hosts.assume(request(), 1)
    hosts.assume(request(2), 99)

    hosts.apply(HostChanges(removed=(1,), claims_ended=('operation-1', 'operation-2')))
    clock.pass_s(TOMBSTONE_S)
    hosts.expire()
    hosts.apply(HostChanges(rows=(host(1),)))

    assert free_memory_mb(hosts) == {'h1': 8192, 'h2': 8192}


def test_an_assumption_moves_with_its_host_when_another_one_is_removed() -> None:
    hosts = table([host(1), host(2)])
    hosts.assume(request(), 2)

    hosts.apply(HostChanges(removed=(1,)))
    assert free_memory_mb(hosts) == {'h2': 8192 - 1024}
    hosts.unassume('operation-1')
    assert free_memory_mb(hosts) == {'h2': 8192}


def test_a_comparison_finds_hosts_that_are_stale_missing_or_gone() -> None:
    hosts = table([host(1), host(2), host(3)])
    theirs = [host(1), host(2, generation=2, used_memory_mb=7), host(4)]

    differences = hosts.differences(generations(*theirs))
    assert differences == {2: 1, 3: 1, 4: None}
    hosts.settle(differences, theirs[1:])
    assert free_memory_mb(hosts) == {'h1': 8192, 'h2': 8185, 'h4': 8192}
    assert hosts.differences(generations(*theirs)) == {}


def test_a_comparison_accepts_a_lower_generation_after_a_restored_backup() -> None:
    hosts = table([host(1, generation=9)])
    restored = host(1, generation=3, used_memory_mb=5)

    hosts.settle(hosts.differences(generations(restored)), [restored])

    assert free_memory_mb(hosts) == {'h1': 8187}


def test_a_comparison_does_not_undo_what_the_feed_brought_meanwhile() -> None:
    hosts = table([host(1)])
    fetched = host(1, generation=2)
    differences = hosts.differences(generations(fetched, host(2)))

    hosts.apply(HostChanges(rows=(host(1, generation=3, used_memory_mb=5),), removed=(2,)))
    hosts.settle(differences, [fetched, host(2)])

    assert free_memory_mb(hosts) == {'h1': 8187}
