"""Claims: what a scheduler chose becomes capacity that is taken, or a reason why there is none.

Each server is a transaction of its own, and many are committed together. A scheduler may decide on a stale view; the
conditional update of the host is what counts, and alternates are tried in the same transaction.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor.db import allocations, hosts, operations, servers
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Database, Raced
from cloudplane.conductor.effects import Announcer, Effects
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.objects.operation import Selection

LOG = logging.getLogger(__name__)
CLAIM = faultpoints.declare('conductor.claim.commit', reports=True)
SIDE_BY_SIDE = 64  # what a group commit takes at once


class Claimer:
    """Takes capacity for selections, and wakes the agents."""

    def __init__(
        self,
        database: Database,
        settings: ConductorSettings,
        handlers: Handlers,
        orders: Orders,
        announcer: Announcer,
    ) -> None:
        self._database, self._settings = database, settings
        self._handlers, self._orders, self._announcer = handlers, orders, announcer
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix='claim')

    def stop(self) -> None:
        """End when the claims that run are done."""
        self._pool.shutdown()

    def claim(self, selections: Iterable[Selection]) -> None:
        """Claim each selection. What fails for want of the database is given again by the reconciler."""
        selections = tuple(selections)
        effects = Effects()
        if len(selections) == 1:
            effects.add(self._claim(selections[0]))
        else:  # side by side, so that they are committed together
            running = [self._pool.submit(self._claim, selection) for selection in selections]
            for future in running:
                effects.add(future.result())
        self._announcer.send(effects)
        CLAIM.reported()

    def _claim(self, selection: Selection) -> Effects:
        try:
            with CLAIM:
                effects = self._database.write(lambda conn: self._transaction(conn, selection))
        except exceptions.CloudplaneException as error:
            LOG.warning('The claim for %s was not made: %s', selection.server_id, error)
            effects = Effects()
        except Exception:
            LOG.exception('The claim for %s failed', selection.server_id)  # the others of its message are not lost
            effects = Effects()
        effects.claims_ended.append(selection.operation_id)
        return effects

    def _transaction(self, conn: Connection, selection: Selection) -> Effects:
        operation = operations.locked(conn, selection.server_id, selection.operation_id)
        if operation is None or not operation.current or operation.state != states.QUEUED:
            return Effects()  # superseded, ended, or claimed by another scheduler's answer
        if operation.attempt != selection.attempt:
            return Effects()
        if not selection.hosts:
            return self._no_host(conn, operation, selection)
        amounts = {name: getattr(operation.server, name) for name in allocations.AMOUNTS}
        for host_id in selection.hosts:
            if allocations.claim(conn, operation.server_id, host_id, amounts):
                return self._claimed(conn, operation, selection, host_id)
        return self._all_full(conn, operation, selection)

    def _claimed(self, conn: Connection, operation: Active, selection: Selection, host_id: int) -> Effects:
        waiting = {'host_id': host_id, 'task_state': None}
        if not servers.change(conn, operation.server_id, operation.id, waiting):
            raise Raced
        attempt = operation.attempt + 1
        operations.move(
            conn,
            operation,
            states.EVENT_CLAIM,
            {
                'attempt': attempt,
                'tries': 0,
                'host_id': host_id,
                'decision_json': servers.encode(selection.decision),
                'next_run_at': utc_now(min(self._settings.wake_up_after_s(0), max(operation.remaining_s, 0))),
            },
        )
        host = operations.host_name(conn, host_id)
        return Effects(hosts={host_id}, orders=[self._orders.work_order(operation, host=host, attempt=attempt)])

    def _all_full(self, conn: Connection, operation: Active, selection: Selection) -> Effects:
        """Back to a scheduler with what was refused; it has until then heard of those who were faster.

        If nothing was full, the hosts went down or were disabled: the next wake-up is soon enough to choose again.
        """
        full = hosts.usable(conn, selection.hosts)
        refused = tuple(dict.fromkeys((*operation.params.refused, *full)))
        params = msgspec.structs.replace(operation.params, refused=refused)
        taken = operations.take(
            conn,
            operation,
            {
                'params_json': servers.encode(params),
                'message': f'{len(selection.hosts)} chosen hosts could not be claimed; {len(full)} of them were full',
                'next_run_at': utc_now(min(self._settings.wake_up_after_s(0), max(operation.remaining_s, 0))),
            },
        )
        if not taken:
            raise Raced
        again = msgspec.structs.replace(operation, params=params)
        return Effects(hosts=set(selection.hosts), builds=[self._orders.build_spec(again)] if full else [])

    def _no_host(self, conn: Connection, operation: Active, selection: Selection) -> Effects:
        decision_json = servers.encode(selection.decision)
        return self._handlers.build.no_host(
            conn, operation, selection.decision.summary, again=selection.transient, decision_json=decision_json
        )
