"""Registering: what an agent does before it touches a guest, and again whenever its epoch is over.

In this order: tell the conductor what the host has; destroy exactly the residues that it names, and say so; make the
other guests as wanted; take up the work that has not ended. What lies on the host and is explained by nothing of that
is reported in the log, and never destroyed: a database may have been restored from a backup.
"""

import logging
import threading
import time

from cloudplane import states
from cloudplane.compute.converge import Wish, is_as_wanted
from cloudplane.compute.operations.unfinished import discard_ended
from cloudplane.compute.runner import Runners
from cloudplane.compute.slot import Errand
from cloudplane.compute.workplace import Workplace
from cloudplane.exceptions import GuestError
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import RegisterAnswer, Residue, WantedGuest

LOG = logging.getLogger(__name__)


class Registration:
    """Registers one agent."""

    def __init__(self, at: Workplace, runners: Runners, stopped: threading.Event) -> None:
        self._at, self._runners, self._stopped = at, runners, stopped

    def register(self, inventory: HostInventory) -> None:
        """Register once. Raises what the conductor's client raises."""
        session = self._at.session
        session.register_wanted.clear()
        answer = session.register(inventory)
        LOG.info(
            'Registered as %s in epoch %s: %d residues, %d guests, %d operations to go on with',
            self._at.host,
            answer.epoch,
            len(answer.residues),
            len(answer.guests),
            len(answer.work),
        )
        self._destroy(answer.residues)
        self._converge(answer.guests)
        self._settle_images(answer)
        self._runners.open()
        for order in answer.work:
            self._runners.submit(order)
        self._report_orphans(answer)

    def _destroy(self, residues: tuple[Residue, ...]) -> None:
        """Destroy the residues, each in the runner of its server; what takes too long goes on by itself."""
        until = time.monotonic() + self._at.settings.start_step_s
        errands = [self._runners.wish(residue_wish(residue)) for residue in residues]
        for errand in errands:
            self._await(errand, until)
        self._at.converger.tell_cleaned()

    def _await(self, errand: Errand, until: float) -> None:
        while not errand.done.wait(0.2) and not self._stopped.is_set():
            if time.monotonic() > until:
                LOG.error('Server %s, a residue, is still being destroyed', errand.wish.server_id)
                return

    def _converge(self, wanted: tuple[WantedGuest, ...]) -> None:
        """Have made what is not as it should be; most of a host's guests are."""
        shown = {guest.server_id: guest for guest in self._at.driver.guests()}
        for guest in wanted:
            if not is_as_wanted(shown.get(guest.server_id), guest.wanted):
                self._runners.wish(_wish_of(guest))

    def _settle_images(self, answer: RegisterAnswer) -> None:
        unfinished = {order.operation_id for order in answer.work}
        unfinished |= {held.operation_id for held in self._runners.held()}
        discard_ended(self._at.fence, self._at.images, unfinished)

    def _report_orphans(self, answer: RegisterAnswer) -> None:
        try:
            found = {guest.server_id for guest in self._at.driver.guests()} | self._at.driver.leftovers()
        except GuestError as error:
            LOG.error('What lies on this host could not be found out: %s', error)
            return
        explained = {guest.server_id for guest in answer.guests}
        explained |= {residue.server_id for residue in answer.residues}
        explained |= {order.server_id for order in answer.work}
        for server_id in sorted(found - explained):
            if not self._runners.holds(server_id):
                LOG.error(
                    'Server %s has a guest or files on this host, and no record explains it. It is left alone: if it '
                    'is not needed, remove it by hand.',
                    server_id,
                )


def residue_wish(residue: Residue) -> Wish:
    """What is to become of a residue."""
    return Wish(
        server_id=residue.server_id,
        sequence=residue.sequence,
        wanted=states.WANT_ABSENT,
        why='its server is no longer on this host',
    )


def _wish_of(guest: WantedGuest) -> Wish:
    return Wish(
        server_id=guest.server_id,
        sequence=guest.sequence,
        wanted=guest.wanted,
        why=f'its server is {guest.vm_state}',
        at_start=True,
    )
