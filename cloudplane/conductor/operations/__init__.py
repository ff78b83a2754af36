"""How operations end, one module per verb, mirroring compute/operations.

Every method runs inside a transaction, and moves the operation and its server together.
"""

from cloudplane import states
from cloudplane.conductor.operations.base import Handler
from cloudplane.conductor.operations.build import BuildHandler
from cloudplane.conductor.operations.delete import DeleteHandler
from cloudplane.conductor.operations.power import PowerHandler
from cloudplane.conductor.operations.snapshot import SnapshotHandler
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings


class Handlers:
    """The handler of each kind of operation."""

    def __init__(self, settings: ConductorSettings, orders: Orders) -> None:
        power = PowerHandler(settings, orders)
        self.build = BuildHandler(settings, orders)
        self.delete = DeleteHandler(settings, orders)
        self._by_kind: dict[str, Handler] = {
            states.BUILD: self.build,
            states.DELETE: self.delete,
            states.START: power,
            states.STOP: power,
            states.SOFT_REBOOT: power,
            states.HARD_REBOOT: power,
            states.SNAPSHOT: SnapshotHandler(settings, orders),
        }

    def of(self, kind: str) -> Handler:
        """The handler of a kind; KeyError for one that this release does not know."""
        return self._by_kind[kind]
