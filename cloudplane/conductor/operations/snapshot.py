"""How snapshots end."""

from cloudplane import states
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.operations.base import OnHostHandler
from cloudplane.objects.operation import FinishReport


class SnapshotHandler(OnHostHandler):
    """createImage: the server is afterwards what it was before."""

    def succeed(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The image is active."""
        vm_state = states.at_rest(operation.server.vm_state, report.power_state)
        self.end(conn, operation, states.EVENT_DONE, {'vm_state': vm_state, 'power_state': report.power_state})
        return Effects()
