"""How start, stop and reboots end."""

from cloudplane import states
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.operations.base import OnHostHandler
from cloudplane.objects.operation import FinishReport


class PowerHandler(OnHostHandler):
    """Start, stop, soft and hard reboot."""

    def succeed(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The guest is as it was asked to be."""
        vm_state = states.at_rest(operation.move.done or operation.server.vm_state, report.power_state)
        values = {'vm_state': vm_state, 'power_state': report.power_state}
        self.end(conn, operation, states.EVENT_DONE, values)
        return Effects()
