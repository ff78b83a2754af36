"""Start, stop and reboot."""

import abc

from cloudplane import faultpoints, states
from cloudplane.compute.operations.base import Operation, Outcome
from cloudplane.compute.virt.driver import GuestInfo

ON = faultpoints.declare('compute.start.power_on')
OFF = faultpoints.declare('compute.stop.power_off')
SOFT = faultpoints.declare('compute.soft_reboot.ask')
NOTE = faultpoints.declare('compute.reboot.note')
HARD = faultpoints.declare('compute.reboot.reset')

RUN_NOTE = 'run_id'  # in the mark of a reboot: which run of the guest it is to end
WAS_OFF = 'off'


class PowerOperation(Operation):
    """A verb after which the guest is as its driver shows it."""

    @abc.abstractmethod
    def act(self) -> None:
        """Change the guest."""

    def perform(self) -> Outcome:
        """Change the guest, and say what it then does."""
        self.act()
        return Outcome(succeeded=True, power_state=self.guest().power_state)


class Start(PowerOperation):
    """Done already when the guest runs."""

    BEGIN = faultpoints.declare('compute.start.begin', reports=True)
    FINISH = faultpoints.declare('compute.start.finish', reports=True)

    def act(self) -> None:
        """Switch it on."""
        if self.guest().power_state != states.RUNNING:
            with self.job.recorded(ON):
                self.bounded('the start of the guest', lambda _: self.at.driver.power_on(self.server_id))


class Stop(PowerOperation):
    """Done already when the guest is off; half done, it is asked again, and gets its whole time again."""

    BEGIN = faultpoints.declare('compute.stop.begin', reports=True)
    FINISH = faultpoints.declare('compute.stop.finish', reports=True)

    def act(self) -> None:
        """Ask it to stop, then cut its power."""
        if self.guest().power_state == states.SHUTDOWN:
            return
        settings = self.at.settings
        with self.job.recorded(OFF):
            self.bounded(
                'the stop of the guest',
                lambda progress: self.at.driver.power_off(self.server_id, settings.graceful_stop_s, progress),
                settings.power_off_step_s,
            )


class HardReboot(PowerOperation):
    """Done already when the guest's run differs from the one that was noted at its beginning."""

    BEGIN = faultpoints.declare('compute.hard_reboot.begin', reports=True)
    FINISH = faultpoints.declare('compute.hard_reboot.finish', reports=True)

    def act(self) -> None:
        """Cut its power, and start it anew, once."""
        self.reset()

    def reset(self) -> None:
        """Note which run is to end, then end it."""
        guest = self.guest()
        if not self.noted():
            with self.job.recorded(NOTE):
                self.at.fence.note(self.server_id, **{RUN_NOTE: guest.run_id or WAS_OFF})
        if not self._has_been_reset(guest):
            with self.job.recorded(HARD):
                self.bounded('the reboot of the guest', lambda _: self.at.driver.hard_reboot(self.server_id))

    def noted(self) -> str | None:
        """The run that this operation is to end, once it has got so far."""
        mark = self.at.fence.mark(self.server_id)
        return mark.notes.get(RUN_NOTE) if mark is not None else None

    def _has_been_reset(self, guest: GuestInfo) -> bool:
        return guest.power_state == states.RUNNING and guest.run_id != self.noted()


class SoftReboot(HardReboot):
    """Asking twice is harmless; a guest that ignores it, or cannot hear it, is reset."""

    BEGIN = faultpoints.declare('compute.soft_reboot.begin', reports=True)
    FINISH = faultpoints.declare('compute.soft_reboot.finish', reports=True)

    def act(self) -> None:
        """Ask it to reboot; reset it if that does nothing."""
        if self.noted() or self.guest().power_state != states.RUNNING or not self._asked():
            self.reset()

    def _asked(self) -> bool:
        """Whether the guest rebooted by itself."""
        settings = self.at.settings
        with self.job.recorded(SOFT):
            return self.bounded(
                'the soft reboot of the guest',
                lambda progress: self.at.driver.soft_reboot(self.server_id, settings.soft_reboot_s, progress),
                settings.soft_reboot_s + settings.power_off_step_s - settings.graceful_stop_s,
            )
