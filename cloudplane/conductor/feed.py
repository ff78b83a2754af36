"""Feeds the schedulers' host tables: the first change goes out at once, then at most ten messages per second."""

import logging
import threading
from collections.abc import Iterable

from cloudplane import exceptions
from cloudplane.conductor.db import hosts
from cloudplane.conductor.db.session import Database
from cloudplane.context import service_context
from cloudplane.objects.host import HostChanges
from cloudplane.rpcapi.scheduler import SchedulerAPI

LOG = logging.getLogger(__name__)
MIN_INTERVAL_S = 0.1


class HostFeed:
    """Collects which hosts changed, and sends their rows whole: rows that came late are told by their generation."""

    def __init__(self, database: Database, scheduler: SchedulerAPI) -> None:
        self._database, self._scheduler = database, scheduler
        self._lock = threading.Lock()
        self._hosts: set[int] = set()
        self._claims: list[str] = []
        self._due, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name='host-feed', daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is due, and end."""
        self._stopped.set()
        self._due.set()
        self._thread.join()

    def changed(self, host_ids: Iterable[int], claims_ended: Iterable[str] = ()) -> None:
        """These hosts have a new generation, and these claims have ended either way."""
        with self._lock:
            self._hosts.update(host_ids)
            self._claims.extend(claims_ended)
        self._due.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._due.wait()
            self._due.clear()
            self.send()
            self._stopped.wait(MIN_INTERVAL_S)
        self.send()  # what came after the last round

    def send(self) -> None:
        """Send what is due, now. What cannot be sent is found by schedulers, which compare generations every 30 s."""
        try:
            self._send()
        except exceptions.CloudplaneException as error:
            LOG.warning('The schedulers were not told of host changes: %s', error)
        except Exception:
            LOG.exception('The schedulers were not told of host changes')

    def _send(self) -> None:
        with self._lock:
            host_ids, self._hosts = self._hosts, set()
            claims, self._claims = self._claims, []
        if not host_ids and not claims:
            return
        rows = self._database.read(lambda conn: hosts.rows(conn, host_ids)) if host_ids else ()
        removed = tuple(sorted(host_ids - {row.id for row in rows}))
        changes = HostChanges(rows=rows, removed=removed, claims_ended=tuple(claims))
        self._scheduler.hosts_changed(service_context(), changes)
