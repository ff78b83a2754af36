"""What holds for every fleet and every request. The reference rules look at one row at a time, and share no code."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostChanges, HostGeneration, HostRow
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.filtering import flags
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.select import select
from tests.unit.scheduler.fleet import FILTERS, SETTINGS, WEIGHERS, Clock, host, request, table

ZONES = ('east', 'west')

fixed = settings(derandomize=True, deadline=None, max_examples=200)  # the same examples each time


@st.composite
def rows(draw: st.DrawFn) -> list[HostRow]:
    amount = st.integers(0, 12)
    return [
        host(
            host_id,
            zone=draw(st.sampled_from(ZONES)),
            up=draw(st.sampled_from((True, True, True, False))),
            disabled=draw(st.sampled_from((False, False, False, True))),
            forced_down=draw(st.sampled_from((False, False, False, True))),
            limit_vcpus=draw(amount),
            limit_memory_mb=draw(amount),
            limit_disk_gb=draw(amount),
            used_vcpus=draw(st.integers(0, 6)),
            used_memory_mb=draw(st.integers(0, 6)),
            used_disk_gb=draw(st.integers(0, 6)),
        )
        for host_id in range(1, draw(st.integers(0, 9)) + 1)
    ]


flavors = st.builds(
    Flavor,
    id=st.just('f'),
    name=st.just('f'),
    vcpus=st.integers(0, 4),
    memory_mb=st.integers(0, 4),
    root_gb=st.integers(0, 4),
    swap_mb=st.sampled_from((0, 1, 1024)),
)
what = st.fixed_dictionaries(
    {
        'flavor': flavors,
        'availability_zone': st.sampled_from((None, *ZONES, 'moon')),
        'excluded_hosts': st.lists(st.integers(1, 9), max_size=2, unique=True).map(tuple),
    }
)


@st.composite
def batches(draw: st.DrawFn) -> list[BuildSpec]:
    groups = draw(st.lists(st.tuples(what, st.integers(1, 6)), min_size=1, max_size=4))
    wanted = [changes for changes, count in groups for _ in range(count)]
    return [request(number, **changes) for number, changes in enumerate(wanted)]


def disk_gb(flavor: Flavor) -> int:
    return flavor.root_gb + flavor.ephemeral_gb + (flavor.swap_mb + 1023) // 1024


# A host takes a server if every one of these holds; `taken` are the flavors placed on it since the row was written.
Rule = Callable[[HostRow, BuildSpec, list[Flavor]], bool]
RULES: dict[str, Rule] = {
    'compute': lambda row, spec, taken: row.up and not row.disabled and not row.forced_down,
    'availability_zone': lambda row, spec, taken: spec.availability_zone in (None, row.zone),
    'retry': lambda row, spec, taken: row.id not in spec.excluded_hosts,
    'vcpu': lambda row, spec, taken: (
        row.used_vcpus + sum(flavor.vcpus for flavor in taken) + spec.flavor.vcpus <= row.limit_vcpus
    ),
    'memory': lambda row, spec, taken: (
        row.used_memory_mb + sum(flavor.memory_mb for flavor in taken) + spec.flavor.memory_mb <= row.limit_memory_mb
    ),
    'disk': lambda row, spec, taken: (
        row.used_disk_gb + sum(disk_gb(flavor) for flavor in taken) + disk_gb(spec.flavor) <= row.limit_disk_gb
    ),
}


def takes(row: HostRow, spec: BuildSpec, taken: list[Flavor]) -> bool:
    return all(rule(row, spec, taken) for rule in RULES.values())


@fixed
@given(rows(), what)
def test_each_filter_agrees_with_its_rule(fleet: list[HostRow], changes: dict[str, Any]) -> None:
    spec = request(**changes)
    view = table(fleet).view()

    for enabled in FILTERS:
        if enabled.filter.applies(spec):
            passed = flags(enabled, view, spec).tolist()
        else:
            passed = [True] * len(fleet)
        assert passed == [RULES[enabled.name](row, spec, []) for row in fleet], enabled.name


@fixed
@given(rows(), batches())
def test_a_batch_is_placed_exactly_where_the_rules_allow_it(fleet: list[HostRow], batch: list[BuildSpec]) -> None:
    by_id = {row.id: row for row in fleet}
    taken: dict[int, list[Flavor]] = {row.id: [] for row in fleet}

    selections = select(batch, table(fleet).view(), FILTERS, WEIGHERS, SETTINGS)

    assert [selection.server_id for selection in selections] == [spec.server_id for spec in batch]
    for spec, selection in zip(batch, selections, strict=True):
        allowed = {row.id for row in fleet if takes(row, spec, taken[row.id])}
        assert set(selection.hosts) <= allowed
        assert len(selection.hosts) == len(set(selection.hosts)) == min(len(allowed), 1 + SETTINGS.alternates)
        if selection.hosts:
            assert selection.decision.chosen == by_id[selection.hosts[0]].name
            taken[selection.hosts[0]].append(spec.flavor)


@fixed
@given(rows(), batches())
def test_a_refusal_accounts_for_every_host(fleet: list[HostRow], batch: list[BuildSpec]) -> None:
    for selection in select(batch, table(fleet).view(), FILTERS, WEIGHERS, SETTINGS):
        if not selection.hosts:
            assert selection.decision.hosts == len(fleet)
            assert sum(count.dropped for count in selection.decision.filters) == len(fleet)
            assert selection.decision.summary.startswith('No valid host: ')


@fixed
@given(rows(), what)
def test_a_refusal_is_transient_exactly_if_a_silent_host_would_take_the_server(
    fleet: list[HostRow], changes: dict[str, Any]
) -> None:
    spec = request(**changes)
    (selection,) = select([spec], table(fleet).view(), FILTERS, WEIGHERS, SETTINGS)

    if not selection.hosts:
        assert selection.transient == any(takes(row.evolve(up=True), spec, []) for row in fleet)


@fixed
@given(st.integers(1, 12), st.integers(1, 60))
def test_equal_servers_on_equal_hosts_are_within_one_of_even(hosts: int, servers: int) -> None:
    fleet = [host(number, limit_vcpus=100, limit_memory_mb=10**6, limit_disk_gb=10**4) for number in range(hosts)]
    batch = [request(number) for number in range(servers)]

    selections = select(batch, table(fleet).view(), FILTERS, WEIGHERS, SETTINGS)

    counts = Counter(selection.hosts[0] for selection in selections)
    assert {counts[row.id] for row in fleet} <= {servers // hosts, -(-servers // hosts)}


host_ids = st.integers(1, 6)
events = st.lists(
    st.one_of(
        st.tuples(st.just('row'), host_ids, st.integers(1, 9), st.integers(0, 100)),
        st.tuples(st.just('removed'), host_ids, st.just(0), st.just(0)),
        st.tuples(st.just('assume'), host_ids, st.integers(1, 5), st.just(0)),
        st.tuples(st.just('ended'), host_ids, st.integers(1, 5), st.just(0)),
        st.tuples(st.just('time'), host_ids, st.integers(1, 5), st.just(0)),
        st.tuples(st.just('settle'), host_ids, st.integers(1, 9), st.integers(0, 100)),
    ),
    max_size=40,
)


@fixed
@given(events)
def test_the_columns_are_always_the_rows_less_what_is_assumed(
    history: list[tuple[str, int, int, int]],
) -> None:
    clock = Clock()
    hosts = HostTable(10.0, clock, capacity=1)
    used: dict[int, tuple[int, int]] = {}  # host id: generation, memory
    assumed: dict[str, tuple[int, float]] = {}  # operation id: host id, until
    buried: dict[int, float] = {}

    for kind, host_id, number, memory_mb in history:
        row = host(host_id, generation=number, used_memory_mb=memory_mb)
        operation_id = f'operation-{number}'
        if kind == 'row':
            hosts.apply(HostChanges(rows=(row,)))
            if host_id not in buried and number >= used.get(host_id, (0, 0))[0]:
                used[host_id] = (number, memory_mb)
        elif kind == 'removed':
            hosts.apply(HostChanges(removed=(host_id,)))
            used.pop(host_id, None)
            buried[host_id] = clock() + 60
            assumed = {key: value for key, value in assumed.items() if value[0] != host_id}
        elif kind == 'assume':
            hosts.assume(request(number), host_id)
            assumed.pop(operation_id, None)
            if host_id in used:
                assumed[operation_id] = (host_id, clock() + 10)
        elif kind == 'ended':
            hosts.apply(HostChanges(claims_ended=(operation_id,)))
            assumed.pop(operation_id, None)
        elif kind == 'time':
            clock.pass_s(number * 3)
            hosts.expire()
            assumed = {key: value for key, value in assumed.items() if value[1] > clock()}
            buried = {key: until for key, until in buried.items() if until > clock()}
        else:
            others = [HostGeneration(id=key, generation=value[0]) for key, value in used.items() if key != host_id]
            differences = hosts.differences([*others, HostGeneration(id=host_id, generation=number)])
            hosts.settle(differences, [row])
            if host_id not in buried and used.get(host_id, (0, 0))[0] != number:
                used[host_id] = (number, memory_mb)

    view = hosts.view()
    expected = {
        key: 8192 - memory - 1024 * sum(1 for place, _ in assumed.values() if place == key)
        for key, (_, memory) in used.items()
    }
    assert dict(zip(view.ids.tolist(), view.free_memory_mb.tolist(), strict=True)) == expected
    assert {view.name(index) for index in range(len(view))} == {f'h{key}' for key in used}
