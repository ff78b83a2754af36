"""Runs the filters: those that look at all hosts first, then, on what they left, those that look at one at a time."""

from collections.abc import Sequence

import numpy as np

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import EnabledFilter, Filter, PluginFailed
from cloudplane.scheduler.table_view import Flags, Slots, TableView


def in_order_of_work(filters: Sequence[EnabledFilter]) -> list[EnabledFilter]:
    """The filters as they are run: columns first, each form in its configured order."""
    return sorted(filters, key=lambda enabled: not isinstance(enabled.filter, Filter))


def candidates(hosts: TableView, spec: BuildSpec, filters: Sequence[EnabledFilter]) -> Slots:
    """Where in `hosts` the hosts are that pass every filter."""
    mask: Flags | None = None
    singles: list[EnabledFilter] = []
    for enabled in filters:
        if not enabled.filter.applies(spec):
            continue
        if not isinstance(enabled.filter, Filter):
            singles.append(enabled)
            continue
        passed = flags(enabled, hosts, spec)
        mask = passed if mask is None else mask & passed
    left = np.arange(len(hosts)) if mask is None else np.flatnonzero(mask)
    for enabled in singles:
        left = left[flags(enabled, hosts.take(left), spec)]
    return left


def flags(enabled: EnabledFilter, hosts: TableView, spec: BuildSpec) -> Flags:
    """True for each host that one filter, of either form, lets pass. PluginFailed if it cannot say."""
    plugin = enabled.filter
    try:
        if isinstance(plugin, Filter):
            passed = plugin.passes(hosts, spec)
        else:
            answers = (bool(plugin.host_passes(hosts.state(index), spec)) for index in range(len(hosts)))
            passed = np.fromiter(answers, dtype=np.bool_, count=len(hosts))
    except Exception as error:
        raise PluginFailed(f'the filter {enabled.name} failed: {type(error).__name__}: {error}') from error
    if passed.dtype != np.bool_ or passed.shape != (len(hosts),):
        raise PluginFailed(
            f'the filter {enabled.name} answered with {passed.dtype} of shape {passed.shape}, not with one bool for '
            f'each of {len(hosts)} hosts'
        )
    return passed
