"""A kind of operation that this agent does not know: refused by its name."""

from cloudplane import faultpoints
from cloudplane.compute.operations.base import Operation, Outcome
from cloudplane.exceptions import GuestInvalid


class Unknown(Operation):
    """Begins nothing and says so; the conductor of a newer release is told which agent is too old."""

    BEGIN = faultpoints.declare('compute.unknown.begin', reports=True)
    FINISH = faultpoints.declare('compute.unknown.finish', reports=True)

    def perform(self) -> Outcome:
        """Refuse."""
        raise GuestInvalid(
            f'the agent of this host does not know operations of the kind {self.order.kind!r}: upgrade it'
        )
