"""The conductor as a service that does not know in which process it runs."""

import logging
import threading
from pathlib import Path
from typing import Any

from cloudplane import exceptions
from cloudplane.conductor.db import hosts, schema
from cloudplane.conductor.db.session import Database
from cloudplane.conductor.parts import ConductorParts
from cloudplane.conductor.settings import ConductorSettings
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
        parts = ConductorParts(
            database=database,
            settings=settings,
            key_file=key_file,
            scheduler=scheduler,
            compute=compute,
            images=images,
        )
        self._feed, self._claimer = parts.feed, parts.claimer
        self.reconciler, self.manager = parts.reconciler, parts.manager
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
            except Exception:
                LOG.exception('The report of the conductor failed')
            if self._stopped.wait(self._heartbeat_s):
                return
