"""The loop that turns wake-ups into claims: take a batch, select, assume, send one message."""

import logging
from collections.abc import Sequence

from cloudplane import faultpoints
from cloudplane.context import RequestContext, service_context
from cloudplane.exceptions import CloudplaneException
from cloudplane.objects.operation import BuildSpec, Decision, Selection
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.intake import Intake, WakeUp
from cloudplane.scheduler.plugins import PluginFailed, PluginSet
from cloudplane.scheduler.select import select
from cloudplane.scheduler.settings import SchedulerSettings

LOG = logging.getLogger(__name__)

DECIDE = faultpoints.declare('scheduler.decide')
CLAIM = faultpoints.declare('scheduler.claim')


class Decider:
    """Decides batches, one after the other."""

    def __init__(
        self,
        settings: SchedulerSettings,
        *,
        table: HostTable,
        plugins: PluginSet,
        intake: Intake,
        conductor: ConductorAPI,
    ) -> None:
        self._settings, self._plugins = settings, plugins
        self._table, self._intake, self._conductor = table, intake, conductor

    def run(self) -> None:
        """Decide until the intake is closed."""
        while (batch := self._intake.take()) is not None:
            try:
                self.decide(batch)
            except Exception:
                LOG.exception('A batch of %d wake-ups was not decided', len(batch))
            finally:
                self._intake.done(batch)

    def decide(self, batch: Sequence[WakeUp]) -> None:
        """Place the servers of a batch and send their claims."""
        with DECIDE, self._table.lock:
            self._table.expire()
            selections = self._select(
                [spec for wake_up in batch for spec in wake_up.specs if not self._table.is_assumed(spec)]
            )
        if selections:
            _log(selections)
            self._claim(_context(batch), selections)

    def _select(self, specs: Sequence[BuildSpec]) -> tuple[Selection, ...]:
        """Selections for a batch; if a plug-in fails, one by one, so that only what it fails on suffers."""
        try:
            return self._select_and_assume(specs)
        except PluginFailed:
            return tuple(self._select_or_refuse(spec) for spec in specs)

    def _select_and_assume(self, specs: Sequence[BuildSpec]) -> tuple[Selection, ...]:
        plugins = self._plugins
        selections = select(specs, self._table.view(), plugins.filters, plugins.weighers, self._settings)
        for spec, selection in zip(specs, selections, strict=True):
            if selection.hosts:
                self._table.assume(spec, selection.hosts[0])
        return selections

    def _select_or_refuse(self, spec: BuildSpec) -> Selection:
        try:
            return self._select_and_assume([spec])[0]
        except PluginFailed as error:
            LOG.exception('Server %s cannot be placed', spec.server_id)
            return Selection(
                operation_id=spec.operation_id,
                server_id=spec.server_id,
                attempt=spec.attempt,
                hosts=(),
                decision=Decision(hosts=len(self._table), summary=f'The scheduler could not decide: {error.message}'),
            )

    def _claim(self, ctxt: RequestContext, selections: tuple[Selection, ...]) -> None:
        try:
            with CLAIM:
                self._conductor.claim(ctxt, selections)
        except CloudplaneException as error:
            LOG.warning('Claims of %d servers were not sent, the reconciler repeats them: %s', len(selections), error)
            with self._table.lock:
                for selection in selections:
                    self._table.unassume(selection.operation_id)


def _context(batch: Sequence[WakeUp]) -> RequestContext:
    """The request's own context, where the batch is one request."""
    return batch[0].ctxt if len(batch) == 1 else service_context()


def _log(selections: Sequence[Selection]) -> None:
    for selection in selections:
        if selection.hosts:
            LOG.info('Selected %s for server %s', selection.decision.chosen, selection.server_id)
        else:
            LOG.info('Server %s: %s', selection.server_id, selection.decision.summary)
