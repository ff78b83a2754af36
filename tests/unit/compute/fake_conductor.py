"""A conductor for the agent's tests: the semantics of register, begin, finish and heartbeat, without a database.

A supported double: it implements the calls of rpcapi.conductor.ConductorAPI that an agent makes. It accepts operations
(`accept`), sends them again with a higher attempt (`redrive`), forces hosts down, and loses requests or answers.
"""

import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from cloudplane import states
from cloudplane.context import RequestContext
from cloudplane.exceptions import ServiceUnavailable, StaleEpoch
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import (
    BeginRequest,
    FinishReport,
    Heartbeat,
    HeartbeatAnswer,
    PowerReport,
    Refusal,
    RegisterAnswer,
    Residue,
    Verdict,
    WantedGuest,
    WorkOrder,
)
from cloudplane.rpcapi.conductor import ConductorAPI
from tests.unit.compute.fake_rows import DISAGREE, FakeOperation, FakeServer, same_end, spec_of, wanted_of

T = TypeVar('T')


class FakeConductor(ConductorAPI):
    """See the module."""

    def __init__(self, host: str = 'host-1') -> None:  # no transport: calls arrive directly
        self.host = host
        self.epoch = 1
        self.known = False
        self.servers: dict[str, FakeServer] = {}
        self.operations: dict[str, FakeOperation] = {}
        self.residues: dict[str, int] = {}
        self.calls: list[str] = []
        self.cleaned_ids: list[str] = []
        self.reports: list[FinishReport] = []
        self.power_reports: list[PowerReport] = []
        self.inventories: list[HostInventory] = []
        self.beats: list[Heartbeat] = []
        self.lost_requests: dict[str, int] = {}  # how often, by method
        self.lost_answers: dict[str, int] = {}
        self.before: dict[str, Callable[[Any], None]] = {}  # called with the argument, by method
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    # What tests do

    def accept(
        self, kind: str, server_id: str | None = None, *, image_id: str | None = None, networks: str = 'auto'
    ) -> WorkOrder:
        """Accept an operation; a newer one supersedes what runs."""
        with self._lock:
            server = self.servers.setdefault(server_id or '', FakeServer(server_id or str(uuid.uuid4())))
            if server_id is None:
                self.servers[server.id] = self.servers.pop('')
            if server.operation is not None:
                server.operation.state = states.SUPERSEDED
            server.sequence += 1
            operation = FakeOperation(str(uuid.uuid4()), kind, server, server.sequence, image_id=image_id)
            server.operation = self.operations[operation.id] = operation
            return self.order(operation, networks=networks)

    def order(self, operation: FakeOperation, *, networks: str = 'auto', remaining_s: float = 60) -> WorkOrder:
        """The work order of an operation."""
        return WorkOrder(
            operation_id=operation.id,
            request_id=f'req-{operation.id}',
            server_id=operation.server.id,
            kind=operation.kind,
            sequence=operation.sequence,
            attempt=operation.attempt,
            host=self.host,
            remaining_s=remaining_s,
            guest=spec_of(operation.server.id, networks) if operation.kind == states.BUILD else None,
            image_id=operation.image_id,
            vm_state=operation.server.vm_state,
        )

    def redrive(self, operation_id: str) -> WorkOrder:
        """The lease is over: a higher attempt."""
        with self._lock:
            operation = self.operations[operation_id]
            operation.attempt += 1
            return self.order(operation)

    def fail(self, operation_id: str) -> None:
        """The deadline is over."""
        with self._lock:
            operation = self.operations[operation_id]
            operation.state = states.FAILED
            operation.server.operation = None
            operation.server.vm_state = states.ERROR

    def vanish(self, server_id: str) -> None:
        """The server goes from this host, and leaves a residue."""
        with self._lock:
            server = self.servers[server_id]
            if server.operation is not None:
                server.operation.state = states.SUPERSEDED
            server.operation, server.here = None, False
            self.residues[server_id] = server.sequence

    def force_down(self) -> None:
        """The operator's word that the host is off."""
        with self._lock:
            self.epoch += 1

    def wait(self, condition: Callable[[], bool], timeout_s: float = 10) -> None:
        """Wait until something has come to be by the calls of the agent."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), 'it did not come to be'

    def wait_ended(self, *operation_ids: str, timeout_s: float = 10) -> None:
        """Wait until operations have ended."""
        self.wait(
            lambda: all(self.operations[each].state in states.ENDED_OPERATION for each in operation_ids), timeout_s
        )

    # What agents call

    def _received(self, method: str, argument: Any, answer: Callable[[], T]) -> T:
        hook = self.before.get(method)
        if hook is not None:
            hook(argument)
        with self._changed:
            self.calls.append(method)
            try:
                if _count_down(self.lost_requests, method):
                    raise ServiceUnavailable(f'the request {method} was lost')
                value = answer()
                if _count_down(self.lost_answers, method):
                    raise ServiceUnavailable(f'the answer to {method} was lost')
                return value
            finally:
                self._changed.notify_all()

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise StaleEpoch(f'epoch {self.epoch}, not {epoch}')

    def register(self, ctxt: RequestContext, inventory: HostInventory) -> RegisterAnswer:
        """See ConductorAPI."""

        def answer() -> RegisterAnswer:
            self.known = True
            self.inventories.append(inventory)
            work = []
            for operation in self.operations.values():
                if operation.state in states.ACTIVE_OPERATION and operation.server.here:
                    operation.attempt += operation.state == states.STARTED
                    work.append(self.order(operation))
            guests = tuple(wanted_of(server) for server in self.servers.values() if server.here)
            residues = tuple(Residue(server_id=each, sequence=number) for each, number in self.residues.items())
            return RegisterAnswer(epoch=self.epoch, residues=residues, guests=guests, work=tuple(work))

        return self._received('register', inventory, answer)

    def begin(self, ctxt: RequestContext, request: BeginRequest) -> Verdict:
        """See ConductorAPI."""

        def answer() -> Verdict:
            self._check_epoch(request.epoch)
            operation = self.operations.get(request.operation_id)
            verdict = self._judge(operation, request.attempt)
            if verdict.accepted and operation is not None:
                operation.state = states.STARTED
            return verdict

        return self._received('begin', request, answer)

    def _judge(self, operation: FakeOperation | None, attempt: int) -> Verdict:
        if operation is None:
            return Verdict(accepted=False, wanted=states.WANT_LEAVE, reason='no such operation is known')
        server = operation.server
        reason = ''
        if operation.state not in states.ACTIVE_OPERATION or server.operation is not operation or not server.here:
            reason = f'operation is {operation.state}'
        elif operation.attempt != attempt:
            reason = f'attempt {attempt} was replaced by {operation.attempt}'
        return Verdict(accepted=not reason, wanted=server.wanted() if reason else 'leave', reason=reason)

    def finish(self, ctxt: RequestContext, report: FinishReport) -> Verdict:
        """See ConductorAPI."""

        def answer() -> Verdict:
            operation = self.operations.get(report.operation_id)
            if operation is not None and operation.report is not None and same_end(operation.report, report):
                return Verdict(accepted=True)
            self._check_epoch(report.epoch)
            verdict = self._judge(operation, report.attempt)
            if verdict.accepted and operation is not None:
                self.reports.append(report)
                self._end(operation, report)
            return verdict

        return self._received('finish', report, answer)

    def _end(self, operation: FakeOperation, report: FinishReport) -> None:
        server = operation.server
        operation.report, server.operation = report, None
        operation.state = states.DONE if report.succeeded else states.FAILED
        move = states.MOVES.get(operation.kind)
        if report.succeeded and move is not None:
            server.vm_state = move.done or server.vm_state
            server.power_state = report.power_state
            server.launched = server.launched or operation.kind == states.BUILD
            server.here = operation.kind != states.DELETE
        elif operation.kind == states.BUILD or report.guest_unknown:
            server.vm_state = states.ERROR
            server.here = not report.clean

    def heartbeat(self, ctxt: RequestContext, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """See ConductorAPI."""

        def answer() -> HeartbeatAnswer:
            if heartbeat.epoch != self.epoch or not self.known:
                return HeartbeatAnswer(registered=False)
            self.beats.append(heartbeat)
            if heartbeat.inventory is not None:
                self.inventories.append(heartbeat.inventory)
            residues = tuple(Residue(server_id=each, sequence=number) for each, number in self.residues.items())
            return HeartbeatAnswer(registered=True, refusals=tuple(self._refusals(heartbeat)), residues=residues)

        return self._received('heartbeat', heartbeat, answer)

    def _refusals(self, heartbeat: Heartbeat) -> list[Refusal]:
        refusals = []
        for held in heartbeat.held:
            operation = self.operations.get(held.operation_id)
            verdict = self._judge(operation, held.attempt)
            replaced = operation is not None and operation.state in states.ACTIVE_OPERATION
            if not verdict.accepted and not replaced:
                refusals.append(
                    Refusal(
                        operation_id=held.operation_id,
                        server_id=held.server_id,
                        attempt=held.attempt,
                        wanted=verdict.wanted,
                        reason=verdict.reason,
                    )
                )
        return refusals

    def cleaned(self, ctxt: RequestContext, host: str, epoch: int, server_ids: tuple[str, ...]) -> None:
        """See ConductorAPI."""

        def answer() -> None:
            self._check_epoch(epoch)
            for server_id in server_ids:
                self.residues.pop(server_id, None)
                self.cleaned_ids.append(server_id)

        self._received('cleaned', server_ids, answer)

    def power_states(
        self, ctxt: RequestContext, host: str, epoch: int, reports: tuple[PowerReport, ...]
    ) -> tuple[WantedGuest, ...]:
        """See ConductorAPI."""

        def answer() -> tuple[WantedGuest, ...]:
            self._check_epoch(epoch)
            self.power_reports.extend(reports)
            other = []
            for report in reports:
                server = self.servers.get(report.server_id)
                if server is not None and (server.operation is not None or report.sequence < server.sequence):
                    other.append(_not_taken(server, report))
                elif server is not None and (server.vm_state, report.power_state) in DISAGREE:
                    other.append(wanted_of(server))
            return tuple(other)

        return self._received('power_states', reports, answer)


def _not_taken(server: FakeServer, report: PowerReport) -> WantedGuest:
    sequence = server.sequence if server.operation is None else report.sequence
    return WantedGuest(server_id=server.id, sequence=sequence, wanted=states.WANT_LEAVE, vm_state=server.vm_state)


def _count_down(counts: dict[str, int], method: str) -> bool:
    left = counts.get(method, 0)
    counts[method] = max(0, left - 1)
    return left > 0
