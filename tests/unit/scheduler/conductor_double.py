"""A conductor that answers from memory, and keeps what it was told."""

import queue

from cloudplane.context import RequestContext
from cloudplane.exceptions import ServiceUnavailable
from cloudplane.objects.host import HostGeneration, HostRow
from cloudplane.objects.operation import Selection
from cloudplane.rpcapi.conductor import ConductorAPI


class ConductorDouble(ConductorAPI):
    """What the scheduler needs of a conductor, without a bus. It refuses as many calls and casts as `failures` says."""

    def __init__(self, rows: tuple[HostRow, ...] = (), *, failures: int = 0) -> None:
        self.rows, self.failures = rows, failures
        self.claims: queue.Queue[tuple[Selection, ...]] = queue.Queue()
        self.request_ids: list[str] = []
        self.asked_rows: list[tuple[int, ...]] = []
        self.reports: queue.Queue[tuple[str, str]] = queue.Queue()

    def claim(self, ctxt: RequestContext, selections: tuple[Selection, ...]) -> None:
        self._may_fail()
        self.request_ids.append(ctxt.request_id)
        self.claims.put(selections)

    def host_snapshot(self, ctxt: RequestContext) -> tuple[HostRow, ...]:
        self._may_fail()
        return self.rows

    def host_generations(self, ctxt: RequestContext) -> tuple[HostGeneration, ...]:
        self._may_fail()
        return tuple(HostGeneration(id=row.id, generation=row.generation) for row in self.rows)

    def host_rows(self, ctxt: RequestContext, host_ids: tuple[int, ...]) -> tuple[HostRow, ...]:
        self.asked_rows.append(host_ids)
        return tuple(row for row in self.rows if row.id in host_ids)

    def service_report(self, ctxt: RequestContext, binary: str, host: str) -> None:
        self.reports.put((binary, host))

    def _may_fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ServiceUnavailable('cloudplane.conductor did not answer')
