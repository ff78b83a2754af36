"""The heartbeat of the agent, and its registration.

A thread that registers, retrying until the conductor answers, and then says at each heartbeat what the agent holds. The
answers carry refusals and residues. A heartbeat without an answer may mean that the bus has lost the way back, which
nothing else would notice: after some in a row the transport is built anew.
"""

import logging
import random
import threading
from collections.abc import Callable

from cloudplane.compute.lookout import Lookout
from cloudplane.compute.registration import Registration, residue_wish
from cloudplane.compute.runner import Runners
from cloudplane.compute.session import backoff
from cloudplane.compute.workplace import Workplace
from cloudplane.exceptions import DatabaseUnavailable, GuestError, ServiceBusy, ServiceUnavailable, StaleEpoch
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import Heartbeat, HeartbeatAnswer

LOG = logging.getLogger(__name__)

ANSWERED = (DatabaseUnavailable, ServiceBusy)  # no good answer, but the way there and back is open


class Reporter:
    """Registers, then beats, until it is stopped."""

    def __init__(
        self,
        at: Workplace,
        runners: Runners,
        *,
        rebuild_transport: Callable[[], None],
        on_registered: Callable[[], None],
    ) -> None:
        self._at, self._runners = at, runners
        self._rebuild_transport, self._on_registered = rebuild_transport, on_registered
        self.ready = threading.Event()  # registered, and what had to come first is done
        self._stopped = threading.Event()
        self._registration = Registration(at, runners, self._stopped)
        self._told: HostInventory | None = None  # what the conductor knows of the host
        self._lost = 0  # heartbeats in a row without an answer
        self._lookout = Lookout(at.driver, at.settings.heartbeat_s)

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._lookout.start()
        threading.Thread(target=self.run, name='reporter', daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        self._lookout.stop()
        self._at.session.register_wanted.set()

    def run(self) -> None:
        """Register and beat."""
        wanted = self._at.session.register_wanted
        self.register()
        while not self._stopped.is_set():
            if wanted.wait(self._at.settings.heartbeat_s * random.uniform(0.9, 1.1)):
                self.register()
            else:
                self.beat()

    def register(self) -> None:
        """Register, again and again until it is done."""
        waits = backoff(self._at.settings)
        while not self._stopped.is_set():
            try:
                inventory = self._at.driver.inventory()
                self._registration.register(inventory)
            except ANSWERED as error:
                LOG.warning('Could not register yet: %s', error)
                self._lost = 0
            except ServiceUnavailable as error:
                LOG.warning('Could not register yet: %s', error)
                self._missed()
            except GuestError as error:
                LOG.warning('Could not register yet, because the hypervisor does not answer: %s', error)
            except Exception:
                LOG.exception('Could not register yet')
            else:
                self._told, self._lost = inventory, 0
                self._on_registered()
                self.ready.set()
                return
            self._stopped.wait(next(waits))

    def beat(self) -> None:
        """One heartbeat, and what its answer asks for."""
        session, inventory = self._at.session, self._lookout.inventory
        if inventory == self._told:
            inventory = None
        epoch = session.epoch
        beat = Heartbeat(host=self._at.host, epoch=epoch, held=self._runners.held(), inventory=inventory)
        try:
            answer = session.heartbeat(beat)
        except StaleEpoch:
            session.expired(epoch)
        except ANSWERED as error:
            LOG.warning('The conductor could not take a heartbeat: %s', error)
            self._lost = 0
        except ServiceUnavailable as error:
            LOG.warning('A heartbeat has no answer: %s', error)
            self._missed()
        except Exception:
            LOG.exception('A heartbeat failed in the conductor')
        else:
            self._lost = 0
            self._told = inventory or self._told
            self._obey(answer, epoch)
        self._try_again()

    def _obey(self, answer: HeartbeatAnswer, epoch: int) -> None:
        if not answer.registered:
            LOG.warning('The conductor does not know this agent in epoch %s. Registering again', epoch)
            self._at.session.expired(epoch)
            return
        for refusal in answer.refusals:
            self._runners.refuse(refusal)
        for residue in answer.residues:
            self._runners.wish(residue_wish(residue))

    def _try_again(self) -> None:
        """What could not be done or told before."""
        for wish in self._at.converger.unfulfilled():
            self._runners.wish(wish)
        self._at.converger.tell_cleaned()

    def _missed(self) -> None:
        self._lost += 1
        if self._lost % self._at.settings.heartbeats_lost == 0:
            LOG.warning('%d times without an answer: building the transport anew', self._lost)
            self._rebuild_transport()
