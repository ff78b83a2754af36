"""Keeps the host table true: a snapshot, the changes that are cast since, and a comparison from time to time."""

import logging
import threading
from collections.abc import Callable

from cloudplane.context import service_context
from cloudplane.exceptions import CloudplaneException
from cloudplane.objects.host import HostChanges
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.scheduler.host_table import HostTable

LOG = logging.getLogger(__name__)

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0
ROWS_PER_CALL = 1000


class Feed:
    """The table's supply. Somebody who is subscribed to the changes calls `apply`, before `run` is started."""

    def __init__(
        self, table: HostTable, conductor: ConductorAPI, *, resync_s: float, on_loaded: Callable[[], None]
    ) -> None:
        self._table, self._conductor = table, conductor
        self._resync_s, self._on_loaded = resync_s, on_loaded

    def apply(self, changes: HostChanges) -> None:
        """One message of changes."""
        with self._table.lock:
            self._table.apply(changes)

    def run(self, stop: threading.Event) -> None:
        """Load the snapshot, however long it takes, then compare every `resync_s`."""
        delay_s = FIRST_DELAY_S
        while not attempted('The snapshot of the hosts', self.load):
            if stop.wait(delay_s):
                return
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        while not stop.wait(self._resync_s):
            attempted('The comparison of the hosts', self.compare)

    def load(self) -> None:
        """Fetch all hosts. ServiceUnavailable: the conductor does not answer."""
        rows = self._conductor.host_snapshot(service_context())
        with self._table.lock:
            self._table.load(rows)
        LOG.info('Loaded %d hosts', len(rows))
        self._on_loaded()

    def compare(self) -> None:
        """Find what lost messages left stale, and fetch that."""
        ctxt = service_context()
        generations = self._conductor.host_generations(ctxt)
        with self._table.lock:
            differences = self._table.differences(generations)
        ids = sorted(differences)
        for start in range(0, len(ids), ROWS_PER_CALL):
            some = tuple(ids[start : start + ROWS_PER_CALL])
            rows = self._conductor.host_rows(ctxt, some)
            with self._table.lock:
                self._table.settle({host_id: differences[host_id] for host_id in some}, rows)
        if ids:
            LOG.info('%d hosts differed from what the feed had told', len(ids))


def attempted(what: str, action: Callable[[], None]) -> bool:
    """Whether `action` succeeded; the log says why not. For loops that try again."""
    try:
        action()
    except CloudplaneException as error:
        LOG.warning('%s failed, to be tried again: %s', what, error)
    except Exception:
        LOG.exception('%s failed, to be tried again', what)
    else:
        return True
    return False
