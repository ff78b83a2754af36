"""The conductor as a service that does not know in which process it runs."""

import logging
import threading
from pathlib import Path
from typing import Any

from cloudplane import exceptions
from cloudplane.conductor.accept import Acceptor
from cloudplane.conductor.agents import Agents
from cloudplane.conductor.claims import Claimer
from cloudplane.conductor.db import hosts, schema
from cloudplane.conductor.db.session import Database
from cloudplane.conductor.effects import Announcer
from cloudplane.conductor.execution import Executor
from cloudplane.conductor.feed import HostFeed
from cloudplane.conductor.host_admin import HostAdmin
from cloudplane.conductor.image_sweeper import ImageSweeper
from cloudplane.conductor.manager import ConductorManager
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.reconciler import Reconciler
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.conductor.vault import Vault
from cloudplane.images.store import ImageStore
from cloudplane.rpc.transport import CONDUCTOR_TOPIC, get_server
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI

LOG = logging.getLogger(__name__)
BINARY = 'cloudplane-conductor'


class ConductorService:
    """Owns the database; answers on the conductor's topic; runs the feed and the reconciler."""

    def __init__(
        self,
        *,
        settings: ConductorSettings,
        database: Database,
        key_file: Path,
        transport: Any,
        host: str,
        scheduler: SchedulerAPI,
        compute: ComputeAPI,
        images: ImageStore,
        heartbeat_s: float,
    ) -> None:
        self._database, self._host, self._heartbeat_s = database, host, heartbeat_s
        vault = Vault(key_file)
        orders = Orders(vault)
        handlers = Handlers(settings, orders)
        self._feed = HostFeed(database, scheduler)
        announcer = Announcer(self._feed, scheduler, compute)
        acceptor = Acceptor(database, settings, handlers, orders, vault)
        sweeper = ImageSweeper(database, images)
        self.reconciler = Reconciler(database, settings, handlers, orders, announcer, acceptor, sweeper)
        self._claimer = Claimer(database, settings, handlers, orders, announcer)
        self.manager = ConductorManager(
            database,
            settings,
            acceptor=acceptor,
            claimer=self._claimer,
            executor=Executor(database, settings, handlers, announcer),
            agents=Agents(database, settings, orders, announcer),
            host_admin=HostAdmin(database, announcer, self.reconciler),
            announcer=announcer,
        )
        self._server = get_server(transport, CONDUCTOR_TOPIC, host, [self.manager])
        self._stopped = threading.Event()
        self._reporter = threading.Thread(target=self._report, name='conductor-report', daemon=True)

    def start(self) -> None:
        """Check the schema, then answer. Raises ConfigurationError if the schema is not in this release's range."""
        schema.check(self._database)
        self._feed.start()
        self._server.start()
        self.reconciler.start()
        self._reporter.start()
        LOG.info('The conductor on %s answers', self._host)

    def stop(self) -> None:
        """Take nothing new, finish what runs, and close the database."""
        self._stopped.set()
        self.reconciler.stop()
        self._server.stop()
        self._server.wait()
        self._claimer.stop()
        self._feed.stop()
        self._reporter.join()
        self._database.close()

    def _report(self) -> None:
        while True:
            try:
                self._database.write(lambda conn: hosts.report(conn, BINARY, self._host))
            except exceptions.CloudplaneException as error:
                LOG.warning('The conductor could not report: %s', error)
            if self._stopped.wait(self._heartbeat_s):
                return
