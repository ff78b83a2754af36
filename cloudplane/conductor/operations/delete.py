"""How deletes end: the server's row goes, its quota and its capacity are free, each exactly once."""

from typing import Any

from cloudplane import states
from cloudplane.conductor.db import allocations, operations, usage
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Raced
from cloudplane.conductor.db.usage import Amounts
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.operations.base import Handler
from cloudplane.objects.operation import FinishReport

GONE: dict[str, Any] = {
    'deleted': True,
    'vm_state': states.DELETED,
    'power_state': states.NOSTATE,
    'addresses_json': '[]',
}


class DeleteHandler(Handler):
    """Delete always wins, and goes on until it is done or its deadline is over."""

    def succeed(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """Nothing is left on the host."""
        return self.vanish(conn, operation)

    def vanish(self, conn: Connection, operation: Active) -> Effects:
        """The server goes; nothing of it lies anywhere."""
        effects = Effects()
        self.end(conn, operation, states.EVENT_DONE, {**GONE, 'terminated_at': utc_now()})
        effects.host(allocations.release(conn, operation.server_id))
        give_back_quota(conn, operation.server)
        return effects

    def fail(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """It is tried again: with a new attempt, for the agent has ended the one that failed."""
        again_s = self._settings.wake_up_after_s(operation.tries)
        taken = operations.take(
            conn,
            operation,
            {
                'attempt': operation.attempt + 1,
                'tries': operation.tries + 1,
                'message': report.message,
                'next_run_at': utc_now(min(again_s, max(operation.remaining_s, 0))),
            },
        )
        if not taken:
            raise Raced
        return Effects()

    def lose_host(self, conn: Connection, operation: Active) -> Effects | None:
        """The server goes now; what may lie on the silent host keeps its capacity until the host is clean."""
        effects = Effects()
        self.end(conn, operation, states.EVENT_FORCED_DOWN_DELETE, {**GONE, 'terminated_at': utc_now()})
        effects.host(allocations.strand(conn, operation.server_id, operation.sequence))
        give_back_quota(conn, operation.server)
        return effects


def give_back_quota(conn: Connection, server: Any) -> None:
    """The project no longer has this server."""
    amounts = Amounts(instances=1, cores=server.vcpus, ram_mb=server.memory_mb)
    usage.give_back(conn, server.project_id, amounts)
