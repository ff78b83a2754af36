"""Explains why a server could not be placed: worked out only then, and again from the start.

Each filter is charged with the hosts that it dropped of those that the filters before it had left, so that the counts
add up to all hosts. The nearest miss among them comes from the filter itself.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from cloudplane.objects.operation import BuildSpec, Decision, FilterCount
from cloudplane.scheduler.filtering import candidates, flags, in_order_of_work
from cloudplane.scheduler.plugins import EnabledFilter, PluginFailed, Reason
from cloudplane.scheduler.table_view import TableView

REFUSAL = 'No valid host'


def explain(hosts: TableView, spec: BuildSpec, filters: Sequence[EnabledFilter]) -> Decision:
    """What became of each host, filter by filter, in the configured order."""
    counts: dict[str, list[FilterCount]] = {}
    left = hosts
    for enabled in in_order_of_work(filters):
        passed = flags(enabled, left, spec) if enabled.filter.applies(spec) else np.ones(len(left), dtype=np.bool_)
        dropped = left.take(np.flatnonzero(~passed))
        counts[enabled.name] = _counts(enabled, dropped, spec)
        left = left.take(np.flatnonzero(passed))
    in_order = tuple(count for enabled in filters for count in counts[enabled.name])
    return Decision(hosts=len(hosts), filters=in_order, summary=_summary(hosts, in_order))


def may_change_soon(hosts: TableView, spec: BuildSpec, filters: Sequence[EnabledFilter]) -> bool:
    """Whether the refusal may be over soon, with nobody's help: worth another try.

    So it is when the table is not loaded yet; when a host that fell silent would take the server once it is back (one
    that is disabled or forced down waits for an operator); and when a host would take it if nothing were assumed of
    it: what is assumed of claims that have not been heard of may be counted twice, or never come.
    """
    return not hosts.loaded or bool(len(candidates(hosts.at_best(), spec, filters)))


def _counts(enabled: EnabledFilter, dropped: TableView, spec: BuildSpec) -> list[FilterCount]:
    if not len(dropped):
        return [FilterCount(name=enabled.name, dropped=0, reason='')]
    return [
        FilterCount(
            name=enabled.name,
            dropped=reason.hosts,
            reason=reason.words or f'dropped by {enabled.name}',
            nearest=reason.nearest,
        )
        for reason in _reasons(enabled, dropped, spec)
    ]


def _reasons(enabled: EnabledFilter, dropped: TableView, spec: BuildSpec) -> list[Reason]:
    try:
        return list(enabled.filter.reasons(dropped, spec))
    except Exception as error:
        raise PluginFailed(f'the filter {enabled.name} failed: {type(error).__name__}: {error}') from error


def _summary(hosts: TableView, counts: Iterable[FilterCount]) -> str:
    """`No valid host: 12 hosts: 7 without 8192 MB free (best: h17, 5120), 3 in another zone, 2 disabled`."""
    if not len(hosts):
        return f'{REFUSAL}: {"no hosts are registered" if hosts.loaded else "the hosts are not known yet"}'
    told = sorted((count for count in counts if count.dropped), key=lambda count: -count.dropped)
    number = f'{len(hosts)} host{"s" if len(hosts) != 1 else ""}'
    return f'{REFUSAL}: {number}: {", ".join(_phrase(count) for count in told)}'


def _phrase(count: FilterCount) -> str:
    nearest = f' (best: {count.nearest})' if count.nearest else ''
    return f'{count.dropped} {count.reason}{nearest}'
