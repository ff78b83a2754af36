"""Selections, alternates and explanations."""

import collections

import pytest

from cloudplane.objects.host import HostRow
from cloudplane.objects.operation import BuildSpec, FilterCount, Selection
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.plugins import EnabledFilter, EnabledWeigher, PluginFailed
from cloudplane.scheduler.select import select
from cloudplane.scheduler.settings import SchedulerSettings
from cloudplane.scheduler.weighers.memory import MemoryWeigher
from tests.unit.scheduler.fleet import FILTERS, SETTINGS, SMALL, WEIGHERS, Clock, host, request, requests, table
from tests.unit.scheduler.plugin_examples import Asked, BrokenFilter, EvenFilter, LowestIdWeigher, NarrowFilter


def choose(
    specs: list[BuildSpec],
    hosts: HostTable | list[HostRow],
    filters: tuple[EnabledFilter, ...] = FILTERS,
    weighers: tuple[EnabledWeigher, ...] = WEIGHERS,
    settings: SchedulerSettings = SETTINGS,
) -> tuple[Selection, ...]:
    loaded = hosts if isinstance(hosts, HostTable) else table(hosts)
    return select(specs, loaded.view(), filters, weighers, settings)


def summary(spec: BuildSpec, hosts: list[HostRow]) -> str:
    return choose([spec], hosts)[0].decision.summary


def test_the_emptiest_host_comes_first_and_the_next_ones_are_alternates() -> None:
    rows = [host(1, used_memory_mb=5000), host(2, used_memory_mb=100), host(3, used_memory_mb=3000)]

    (selection,) = choose([request()], rows)

    assert selection.hosts == (2, 3, 1)
    assert selection.decision.chosen == 'h2'
    assert [name for name, _ in selection.decision.weights] == ['h2', 'h3', 'h1']
    assert selection.decision.weights[0][1] == pytest.approx(1.0)  # cpu is equal everywhere and says nothing
    assert selection.decision.hosts == 3
    assert not selection.transient


def test_there_are_no_more_alternates_than_the_settings_allow() -> None:
    settings = SchedulerSettings(host='s', filters=(), weighers={}, alternates=1)

    (selection,) = choose([request()], [host(number) for number in range(1, 9)], settings=settings)

    assert len(selection.hosts) == 2


def test_a_selection_repeats_the_attempt_so_that_a_stale_claim_is_refused() -> None:
    (selection,) = choose([request(attempt=4)], [host(1)])

    assert (selection.operation_id, selection.server_id, selection.attempt) == ('operation-1', 'server-1', 4)


def test_a_batch_is_spread_evenly_over_equal_hosts() -> None:
    selections = choose(requests(50), [host(number) for number in range(1, 21)])

    counts = collections.Counter(selection.hosts[0] for selection in selections)
    assert sorted(counts.values()) == [2] * 10 + [3] * 10


def test_a_negative_multiplier_packs_a_batch() -> None:
    packing = (EnabledWeigher('memory', MemoryWeigher(), -1.0),)

    selections = choose(requests(16), [host(number) for number in range(1, 21)], weighers=packing)

    assert len({selection.hosts[0] for selection in selections}) == 2


def test_a_batch_prefers_the_emptier_hosts_until_they_are_level_with_the_others() -> None:
    rows = [host(1, used_memory_mb=4096, used_vcpus=4), host(2)]

    chosen = [selection.hosts[0] for selection in choose(requests(6), rows)]

    assert chosen[:4] == [2, 2, 2, 2]
    assert sorted(chosen[4:]) == [1, 2]


def test_different_servers_of_a_batch_know_of_each_other() -> None:
    big = SMALL.evolve(memory_mb=8192)
    specs = [request(1, flavor=big), request(2), request(3, flavor=big)]

    first, second, third = choose(specs, [host(1), host(2)])

    assert {first.hosts[0], second.hosts[0]} == {1, 2}
    assert third.hosts == ()
    nearest = second.decision.chosen
    assert third.decision.summary == f'No valid host: 2 hosts: 2 without 8192 MB free (best: {nearest}, 7168)'


def test_those_of_a_batch_for_which_there_is_no_room_are_refused_and_the_others_placed() -> None:
    selections = choose(requests(20), [host(1), host(2)])

    assert [bool(selection.hosts) for selection in selections] == [True] * 16 + [False] * 4
    assert selections[-1].decision.summary == 'No valid host: 2 hosts: 2 without 1 VCPUs free (best: h1, 0)'
    assert not selections[-1].transient


def test_equal_hosts_get_equal_shares_of_many_single_requests() -> None:
    hosts = table([host(number) for number in range(1, 21)])

    first = collections.Counter(choose([request(number)], hosts)[0].hosts[0] for number in range(4000))

    assert len(first) == 20
    assert min(first.values()) > 150
    assert max(first.values()) < 250


def test_equal_alternates_differ_between_requests_too() -> None:
    hosts = table([host(number) for number in range(1, 21)])

    seconds = {choose([request(number)], hosts)[0].hosts[1] for number in range(200)}

    assert len(seconds) == 20


def test_the_same_request_gets_the_same_answer_and_another_seed_may_give_another() -> None:
    hosts = table([host(number) for number in range(1, 101)])

    def hosts_with(seed: int) -> tuple[int, ...]:
        settings = SchedulerSettings(host='s', filters=(), weighers={}, seed=seed)
        return choose([request()], hosts, settings=settings)[0].hosts

    assert hosts_with(seed=1) == hosts_with(seed=1)
    assert len({hosts_with(seed) for seed in range(20)}) > 10


def test_a_refusal_counts_hosts_under_the_first_filter_that_dropped_them() -> None:
    full = [host(number, used_memory_mb=8192 - number) for number in range(1, 8)]
    elsewhere = [host(number, zone='west') for number in range(8, 11)]
    disabled = [host(number, disabled=True, zone='west') for number in range(11, 13)]

    (selection,) = choose([request(availability_zone='nova')], full + elsewhere + disabled)

    assert selection.hosts == ()
    assert selection.decision.summary == (
        'No valid host: 12 hosts: 7 without 1024 MB free (best: h7, 7), 3 in another zone, 2 disabled'
    )
    assert selection.decision.filters == (
        FilterCount(name='compute', dropped=2, reason='disabled'),
        FilterCount(name='availability_zone', dropped=3, reason='in another zone'),
        FilterCount(name='retry', dropped=0, reason=''),
        FilterCount(name='vcpu', dropped=0, reason=''),
        FilterCount(name='memory', dropped=7, reason='without 1024 MB free', nearest='h7, 7'),
        FilterCount(name='disk', dropped=0, reason=''),
    )


def test_each_reason_is_told_in_words() -> None:
    rows = [
        host(1, up=False, forced_down=True),
        host(2, up=False),
        host(3, used_vcpus=8),
        host(4, used_disk_gb=71),
        host(5),
        host(6, disabled=True, up=False),
    ]

    assert summary(request(excluded_hosts=(5,)), rows) == (
        'No valid host: 6 hosts: 1 disabled, 1 forced down, 1 down, 1 tried before, '
        '1 without 1 VCPUs free (best: h3, 0), 1 without 10 GB of disk free (best: h4, 9)'
    )


def test_a_zone_that_no_host_is_in_drops_all_hosts() -> None:
    assert summary(request(availability_zone='moon'), [host(1)]) == 'No valid host: 1 host: 1 in another zone'


def test_success_costs_no_explanation() -> None:
    (selection,) = choose([request()], [host(1), host(2, disabled=True)])

    assert selection.decision.filters == ()
    assert selection.decision.summary == ''


@pytest.mark.parametrize(
    ('rows', 'transient'),
    [
        ([host(1, up=False)], True),
        ([host(1, up=False, used_memory_mb=8000)], False),
        ([host(1, up=False, disabled=True)], False),
        ([host(1, up=False, forced_down=True)], False),
        ([host(1, up=False, zone='west')], False),
        ([host(1, used_memory_mb=8000), host(2, up=False)], True),
        ([host(1, used_memory_mb=8000)], False),
        ([], False),
    ],
)
def test_a_refusal_is_transient_only_if_a_host_that_is_down_would_do(rows: list[HostRow], transient: bool) -> None:
    (selection,) = choose([request(availability_zone='nova')], rows)

    assert selection.hosts == ()
    assert selection.transient == transient


def test_an_empty_fleet_is_a_final_answer_once_it_was_loaded() -> None:
    (selection,) = choose([request()], [])
    assert selection.decision.summary == 'No valid host: no hosts are registered'
    assert not selection.transient


def test_nothing_is_final_before_the_first_snapshot() -> None:
    (selection,) = choose([request()], HostTable(10.0, Clock()))
    assert selection.decision.summary == 'No valid host: the hosts are not known yet'
    assert selection.transient


def test_a_refusal_because_of_what_earlier_decisions_assume_is_transient() -> None:
    hosts = table([host(1, limit_vcpus=1)])
    hosts.assume(request(1), 1)

    (selection,) = choose([request(2)], hosts)

    assert selection.hosts == ()
    assert selection.transient


def test_what_a_host_filter_refuses_is_not_chosen_and_it_sees_only_what_columns_left() -> None:
    even = EvenFilter()
    filters = (EnabledFilter('even', even), *FILTERS)
    rows = [host(1), host(2), host(3), host(4, disabled=True)]

    (selection,) = choose([request()], rows, filters)

    assert selection.hosts == (2,)
    assert set(even.asked) == {'h1', 'h2', 'h3'}


def test_a_host_filter_is_counted_in_the_configured_order_under_its_name() -> None:
    (selection,) = choose(
        [request()], [host(1), host(4, disabled=True)], (EnabledFilter('even', EvenFilter()), *FILTERS)
    )

    assert selection.decision.filters[0] == FilterCount(name='even', dropped=1, reason='dropped by even')
    assert selection.decision.summary == 'No valid host: 2 hosts: 1 dropped by even, 1 disabled'


def test_a_filter_that_is_asked_once_per_request_is_not_asked_for_each_server() -> None:
    once, always = Asked(once=True), Asked(once=False)

    choose(requests(3), [host(1)], (EnabledFilter('once', once), EnabledFilter('always', always)))

    assert (once.times, always.times) == (1, 3)


def test_a_filter_that_does_not_apply_is_not_asked() -> None:
    asked = Asked(once=False, concerned=False)

    (selection,) = choose([request()], [host(1)], (EnabledFilter('asked', asked),))

    assert selection.hosts == (1,)
    assert asked.times == 0


def test_a_host_weigher_ranks_hosts_one_at_a_time() -> None:
    rows = [host(3), host(1), host(2)]

    (selection,) = choose([request()], rows, weighers=(EnabledWeigher('lowest', LowestIdWeigher(), 2.0),))

    assert selection.hosts == (1, 2, 3)
    assert selection.decision.weights == (('h1', 2.0), ('h2', 1.0), ('h3', 0.0))


def test_without_filters_and_weighers_any_host_will_do() -> None:
    (selection,) = choose([request()], [host(1, disabled=True)], (), ())

    assert selection.hosts == (1,)


@pytest.mark.parametrize(
    ('filters', 'weighers', 'message'),
    [
        ((EnabledFilter('bad', BrokenFilter()),), (), 'the filter bad failed: RuntimeError: out of order'),
        ((EnabledFilter('bad', NarrowFilter()),), (), 'the filter bad answered with int64 of shape'),
        ((), (EnabledWeigher('nan', LowestIdWeigher(float('nan')), 1.0),), 'the weigher nan did not answer'),
    ],
)
def test_a_plugin_that_fails_is_named(
    filters: tuple[EnabledFilter, ...], weighers: tuple[EnabledWeigher, ...], message: str
) -> None:
    with pytest.raises(PluginFailed, match=message):
        choose([request()], [host(1), host(2)], filters, weighers)
