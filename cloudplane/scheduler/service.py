"""The scheduler as a service: its parts put together, and its three threads.

It does not know in which process it runs. Any number of schedulers may run; they share the wake-ups and each has a
table of its own.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from cloudplane.context import service_context
from cloudplane.rpc.transport import SCHEDULER_TOPIC, get_server
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.scheduler import plugins
from cloudplane.scheduler.decider import Decider
from cloudplane.scheduler.feed import Feed, attempted
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.intake import Intake
from cloudplane.scheduler.manager import SchedulerManager
from cloudplane.scheduler.settings import SchedulerSettings

LOG = logging.getLogger(__name__)

BINARY = 'cloudplane-scheduler'
STOP_S = 10.0  # for a thread to end what it is doing; longer only if the bus has gone


class SchedulerService:
    """One scheduler. Made once, started once, stopped once."""

    def __init__(
        self,
        settings: SchedulerSettings,
        *,
        transport: Any,
        conductor: ConductorAPI,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError if a plug-in is missing or broken. `clock` counts seconds and never goes back."""
        self._settings, self._transport, self._conductor = settings, transport, conductor
        table = self._table = HostTable(settings.assumption_s, clock)
        self._ready, self._stopping = threading.Event(), threading.Event()
        self._intake = Intake(settings.max_held)
        self._feed = Feed(table, conductor, resync_s=settings.resync_s, on_loaded=self._loaded)
        self._decider = Decider(
            settings,
            table=table,
            plugins=plugins.load(settings.filters, settings.weighers),
            intake=self._intake,
            conductor=conductor,
        )
        self._threads = [
            threading.Thread(target=self._feed.run, args=(self._stopping,), name='scheduler-feed', daemon=True),
            threading.Thread(target=self._decider.run, name='scheduler-decide', daemon=True),
            threading.Thread(target=self._report, name='scheduler-report', daemon=True),
        ]
        self._server: Any = None

    def start(self) -> None:
        """Subscribe to wake-ups and changes, then fetch the hosts. Wake-ups wait until these have come."""
        manager = SchedulerManager(self._intake, self._feed)
        self._server = get_server(self._transport, SCHEDULER_TOPIC, self._settings.host, [manager])
        self._server.start()
        for thread in self._threads:
            thread.start()
        LOG.info('Scheduler %s listens', self._settings.host)

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the host table is loaded; whether it is."""
        return self._ready.wait(timeout_s)

    def hosts_available(self) -> int:
        """How many hosts take servers, as far as this scheduler has heard."""
        with self._table.lock:
            return int(self._table.view().available.sum())

    def stop(self) -> None:
        """Finish the batch that is being decided; what waits is left to the reconciler."""
        self._stopping.set()
        self._intake.close()
        if self._server is not None:
            self._server.stop()
            self._server.wait()
            for thread in self._threads:
                thread.join(STOP_S)

    def _loaded(self) -> None:
        self._intake.open()
        self._ready.set()

    def _report(self) -> None:
        while True:
            attempted('The report of this service', self._report_once)
            if self._stopping.wait(self._settings.heartbeat_s):
                return

    def _report_once(self) -> None:
        self._conductor.service_report(service_context(), BINARY, self._settings.host)
