"""Chooses hosts: a pure function of the requests, the host table, the plug-ins and the settings.

Equal servers that follow each other, those of one request, are placed in one pass. What is placed counts as used for
all that follows. The conductor's claim, not this, decides whether a server gets its host.
"""

import itertools
from collections.abc import Sequence

from cloudplane.objects.operation import BuildSpec, Decision, Selection
from cloudplane.scheduler.decision import explain, may_change_soon
from cloudplane.scheduler.plugins import EnabledFilter, EnabledWeigher
from cloudplane.scheduler.settings import SchedulerSettings
from cloudplane.scheduler.table_view import TableView
from cloudplane.scheduler.weighing import Ranked, Ranking


def select(
    specs: Sequence[BuildSpec],
    table: TableView,
    filters: Sequence[EnabledFilter],
    weighers: Sequence[EnabledWeigher],
    settings: SchedulerSettings,
) -> tuple[Selection, ...]:
    """A selection for each spec, in their order. PluginFailed: a plug-in could not decide; nothing was selected."""
    selections: list[Selection] = []
    for _, equal in itertools.groupby(specs, key=_what_is_asked):
        group = list(equal)
        count = len(group) + settings.alternates
        ranking = Ranking(table, group[0], filters, weighers, count=count, seed=settings.seed)
        placed = _place(group, ranking, settings.alternates)
        selections.extend(placed)
        if len(selections) < len(specs):  # else there is nobody who needs to know
            table = table.after(*ranking.used(), group[0].flavor)
        selections.extend(_refuse(group[len(placed) :], table, filters))
    return tuple(selections)


def _what_is_asked(spec: BuildSpec) -> BuildSpec:
    """The same for specs that every host answers alike."""
    return spec.evolve(operation_id='', server_id='', attempt=0)


def _place(group: Sequence[BuildSpec], ranking: Ranking, alternates: int) -> list[Selection]:
    """Selections for as many servers of a group as there is room for."""
    selections: list[Selection] = []
    for spec in group:
        best = ranking.pop(1 + alternates)
        if not best:
            break
        selections.append(_selection(spec, best, ranking))
        ranking.put_back(best[1:])
        ranking.use(best[0])
    return selections


def _selection(spec: BuildSpec, best: Sequence[Ranked], ranking: Ranking) -> Selection:
    names = [ranking.name(entry) for entry in best]
    weights = tuple((name, round(-entry.minus_weight, 6)) for name, entry in zip(names, best, strict=True))
    return Selection(
        operation_id=spec.operation_id,
        server_id=spec.server_id,
        attempt=spec.attempt,
        hosts=tuple(ranking.host_id(entry) for entry in best),
        decision=Decision(hosts=ranking.seen, chosen=names[0], weights=weights),
    )


def _refuse(group: Sequence[BuildSpec], table: TableView, filters: Sequence[EnabledFilter]) -> list[Selection]:
    """Equal servers for which there is no room get one explanation."""
    if not group:
        return []
    decision = explain(table, group[0], filters)
    transient = may_change_soon(table, group[0], filters)
    return [
        Selection(
            operation_id=spec.operation_id,
            server_id=spec.server_id,
            attempt=spec.attempt,
            hosts=(),
            decision=decision,
            transient=transient,
        )
        for spec in group
    ]
