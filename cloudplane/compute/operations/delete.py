"""Delete: nothing of the guest is left. It does not ask whether it may begin, and goes on until its deadline."""

import time

from cloudplane import faultpoints
from cloudplane.compute.operations.base import LOG, Operation, Outcome
from cloudplane.compute.session import backoff
from cloudplane.exceptions import GuestError
from cloudplane.objects.operation import Verdict

DESTROY = faultpoints.declare('compute.delete.destroy')
FORGET = faultpoints.declare('compute.delete.forget')


class Delete(Operation):
    """See the module."""

    BEGIN = faultpoints.declare('compute.delete.begin')
    FINISH = faultpoints.declare('compute.delete.finish', reports=True)

    needs_fence = False  # on a full disk it is what makes room; an older order is refused by the conductor

    def begin(self) -> Verdict | None:
        """Nobody is asked: a delete always wins."""
        return None

    def perform(self) -> Outcome:
        """Remove guest, files and leases; again while it fails and there is time."""
        until = time.monotonic() + self.order.remaining_s
        waits = backoff(self.at.settings)
        while True:
            try:
                with self.job.recorded(DESTROY):
                    self.at.driver.destroy(self.server_id)
                return Outcome(succeeded=True)
            except GuestError as error:
                self._check_cancelled(error)
                wait_s = next(waits)
                if time.monotonic() + wait_s > until:
                    raise
                LOG.warning('The delete of server %s is tried again: %s', self.server_id, error)
                del self.job.steps[:-1]  # the last failure is enough to tell
                self.job.pause(wait_s)

    def accepted(self, outcome: Outcome) -> None:
        """Keep but a tombstone."""
        if outcome.succeeded:
            with FORGET:
                self.at.fence.forget(self.server_id, self.order.sequence)
