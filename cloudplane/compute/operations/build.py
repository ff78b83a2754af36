"""Build: make a guest and let it run, but commit before it runs.

The guest is started paused, `finish` commits the build, and only then is it resumed: an unfinished build on a silent
host has never executed an instruction, and may be moved without running twice.
"""

import logging
from pathlib import Path

from cloudplane import faultpoints, states
from cloudplane.compute.bounded import store_progress
from cloudplane.compute.job import SUPERSEDED
from cloudplane.compute.operations.base import Operation, Outcome, trace_of
from cloudplane.exceptions import CloudplaneException, GuestInvalid
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address

LOG = logging.getLogger(__name__)

NETWORK = faultpoints.declare('compute.build.network')
IMAGE = faultpoints.declare('compute.build.image')
DISK = faultpoints.declare('compute.build.disk')
CONFIG_DRIVE = faultpoints.declare('compute.build.config_drive')
START = faultpoints.declare('compute.build.start')
RESUME = faultpoints.declare('compute.build.resume')
CLEAN = faultpoints.declare('compute.build.clean')

IN_BEING = (states.RUNNING, states.POWER_PAUSED)


class Build(Operation):
    """See the module."""

    BEGIN = faultpoints.declare('compute.build.begin', reports=True)
    FINISH = faultpoints.declare('compute.build.finish', reports=True)

    def perform(self) -> Outcome:
        """Everything up to the paused guest; a guest of this sequence that is in being is adopted."""
        spec = self.order.guest
        if spec is None:
            raise GuestInvalid('the order does not say what to build')
        addresses = self._make_network(spec)
        if not self._in_being():
            self._make_files(spec, addresses)
        with self.job.recorded(START):
            token = self.job.token
            self.bounded('the start of the guest', lambda _: self.at.driver.start_paused(spec, token, addresses))
        # It will run before anybody hears of it: nothing but the commit stands between.
        return Outcome(succeeded=True, power_state=states.RUNNING, addresses=addresses)

    def _in_being(self) -> bool:
        guest = self.at.driver.guest(self.server_id)
        return guest is not None and guest.sequence == self.order.sequence and guest.power_state in IN_BEING

    def _make_network(self, spec: GuestSpec) -> tuple[Address, ...]:
        with self.job.recorded(NETWORK):
            return self.bounded('the reservation of addresses', lambda _: self.at.driver.make_network(spec))

    def _make_files(self, spec: GuestSpec, addresses: tuple[Address, ...]) -> None:
        driver, token = self.at.driver, self.job.token
        base = self._base_image(spec)
        with self.job.recorded(DISK):
            self.transfer('the root disk', lambda progress: driver.make_disk(spec, token, base, progress))
        if spec.config_drive:
            with self.job.recorded(CONFIG_DRIVE):
                self.bounded('the config drive', lambda _: driver.make_config_drive(spec, token, addresses))

    def _base_image(self, spec: GuestSpec) -> Path | None:
        image_id = spec.image_id
        if image_id is None or not self.at.driver.needs_image_files:
            return None
        with self.job.recorded(IMAGE):
            return self.transfer(
                'the base image', lambda progress: self.at.base_images.base(image_id, store_progress(progress))
            )

    def failed(self, error: Exception, message: str) -> Outcome:
        """Remove what was made, so that another host may do it."""
        return Outcome(
            succeeded=False,
            message=message,
            details=trace_of(error),
            retryable=bool(getattr(error, 'retryable', True)),
            clean=self._cleaned(),
        )

    def _cleaned(self) -> bool:
        """Destroy the guest; whether nothing is left of it."""
        if self.job.stuck is not None:
            return False
        try:
            with CLEAN:
                self.bounded(
                    'the removal', lambda _: self.at.driver.destroy(self.server_id), self.at.settings.power_off_step_s
                )
        except CloudplaneException as error:
            self.job.check()
            LOG.error('What was built of server %s could not be removed: %s', self.server_id, error)
            return False
        return True

    def accepted(self, outcome: Outcome) -> None:
        """Committed: let it run. Failed: forget it, or remove later what could not be removed now."""
        if not outcome.succeeded:
            if outcome.clean:
                self.at.fence.forget(self.server_id, self.order.sequence)
            else:
                self.converge(states.WANT_ABSENT, 'its build failed and left something')
        elif self.job.why != SUPERSEDED:
            with RESUME:
                self.converge(states.WANT_ON, 'its build is committed')
