"""How builds end, and how they move to another host while their guest has executed nothing."""

from typing import Any

import msgspec

from cloudplane import states
from cloudplane.conductor.db import allocations, operations, servers
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Raced
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.operations.base import Handler
from cloudplane.objects.operation import FinishReport


class BuildHandler(Handler):
    """A build commits here, before its guest executes anything."""

    def succeed(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The guest is there, paused. From now on the server has run, and does not move by itself."""
        values: dict[str, Any] = {
            'vm_state': states.ACTIVE,
            'power_state': report.power_state or states.RUNNING,
            'launched_at': utc_now(),
        }
        if report.addresses is not None:
            values['addresses_json'] = servers.encode(report.addresses)
        self.end(conn, operation, states.EVENT_DONE, values)
        return Effects()

    def fail(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """Another host may do it, if this one is clean; else the server is in ERROR, and the fault says why."""
        tried = (*operation.excluded, operation.host_id)
        if report.retryable and report.clean and len(tried) < self._settings.build_hosts:
            return self._move(conn, operation, stranded=False, tried=True, message=report.message)
        hosts = f' (tried on {len(tried)} hosts, last on {operation.host})' if len(tried) > 1 else ''
        message = f'{report.message}{hosts}'
        return self._fail(
            conn, operation, states.EVENT_FAILED, clean=report.clean, message=message, details=report.details
        )

    def give_up(self, conn: Connection, operation: Active, message: str) -> Effects:
        """Too late. A host on which it has not begun is clean."""
        clean = operation.state != states.STARTED
        return self._fail(conn, operation, states.EVENT_GIVE_UP, clean=clean, message=message)

    def _fail(
        self,
        conn: Connection,
        operation: Active,
        event: str,
        *,
        clean: bool,
        message: str,
        details: str | None = None,
    ) -> Effects:
        effects = Effects()
        values: dict[str, Any] = {'vm_state': states.ERROR}
        if clean:
            values['host_id'] = None
        self.end(conn, operation, event, values, message=message, details=details)
        if clean:
            effects.host(allocations.release(conn, operation.server_id))
        return effects

    def lose_host(self, conn: Connection, operation: Active) -> Effects | None:
        """An uncommitted guest has executed nothing: the build goes elsewhere. None: it has no host yet."""
        if operation.state == states.QUEUED:
            return None
        message = f'Host {operation.host} went down during the build'
        begun = operation.state == states.STARTED
        return self._move(conn, operation, stranded=begun, tried=begun, message=message)

    def _move(self, conn: Connection, operation: Active, *, stranded: bool, tried: bool, message: str) -> Effects:
        """Back to a scheduler. `stranded`: something may lie on the old host; `tried`: not there again."""
        effects = Effects()
        excluded = operation.excluded
        if tried and operation.host_id is not None:
            excluded = (*excluded, operation.host_id)
        params = msgspec.structs.replace(operation.params, refused=())
        waiting = {'host_id': None, 'task_state': operation.move.accepted_task}
        if not servers.change(conn, operation.server_id, operation.id, waiting):
            raise Raced
        event = states.EVENT_MOVE if operation.state == states.STARTED else states.EVENT_RELEASE
        operations.move(
            conn,
            operation,
            event,
            {
                'host_id': None,
                'excluded_json': servers.encode(excluded),
                'params_json': servers.encode(params),
                'message': message,
                'tries': 0,
                'next_run_at': utc_now(min(self._settings.wake_up_after_s(0), max(operation.remaining_s, 0))),
            },
        )
        if stranded:
            effects.host(allocations.strand(conn, operation.server_id, operation.sequence))
        else:
            effects.host(allocations.release(conn, operation.server_id))
        spec = self._orders.build_spec(operation)
        effects.builds.append(spec.evolve(excluded_hosts=excluded))
        return effects

    def no_host(self, conn: Connection, operation: Active, summary: str, *, again: bool, decision_json: str) -> Effects:
        """A scheduler found no host: `again` because hosts are down (until the deadline), else it is final."""
        if again:
            tries = operation.tries + 1
            wait_s = min(self._settings.wake_up_after_s(tries), max(operation.remaining_s, 0.0))
            params = msgspec.structs.replace(operation.params, refused=())  # what was full may have room by then
            values = {
                'tries': tries,
                'message': summary,
                'decision_json': decision_json,
                'params_json': servers.encode(params),
                'next_run_at': utc_now(wait_s),
            }
            if not operations.take(conn, operation, values):
                raise Raced
            return Effects()
        values = {'vm_state': states.ERROR}
        # Tried, and nowhere else to go: what it failed of is what somebody has to look at.
        tried = f'. The last host that was tried said: {operation.message}' if operation.excluded else ''
        self.end(conn, operation, states.EVENT_GIVE_UP, values, message=f'{summary}{tried}')
        operations.note_decision(conn, operation.id, decision_json)
        return Effects()
