"""Keeps an eye on the hypervisor in a thread of its own: a slow libvirt must not hold the heartbeat up.

Otherwise a host whose agent is well would be taken for dead, and its builds would move.
"""

import logging
import threading

from cloudplane.compute.virt.driver import Driver
from cloudplane.exceptions import GuestError
from cloudplane.objects.host import HostInventory

LOG = logging.getLogger(__name__)


class Lookout:
    """Knows what the host had when it was last seen, and says in the log when it cannot take guests."""

    def __init__(self, driver: Driver, period_s: float) -> None:
        self._driver, self._period_s = driver, period_s
        self.inventory: HostInventory | None = None
        self._unusable: str | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name='lookout', daemon=True).start()

    def stop(self) -> None:
        """Look no more; a look that hangs in the hypervisor is left behind."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            self.look()

    def look(self) -> None:
        """Look once."""
        try:
            self.inventory = self._driver.inventory()
        except GuestError as error:
            LOG.warning('The inventory could not be made: %s', error)
        reason = self._driver.unusable_because()
        if reason != self._unusable:
            LOG.warning('This host %s', f'cannot take guests: {reason}' if reason else 'can take guests again')
            self._unusable = reason
