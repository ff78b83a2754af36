"""begin and finish: what agents ask before they touch their host, and tell when they are done.

Both are idempotent: the same attempt asked again gets the same answer. A refusal carries what the host should make of
the server, and the agent converges to that.
"""

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor.db import history, hosts, operations, servers
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Database, Raced
from cloudplane.conductor.effects import Announcer, Effects
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.objects.operation import BeginRequest, FinishReport, Verdict

BEGIN = faultpoints.declare('conductor.begin.commit', reports=True)
FINISH = faultpoints.declare('conductor.finish.commit', reports=True)
ACCEPTED = Verdict(accepted=True)


class Executor:
    """Answers agents about single operations."""

    def __init__(
        self, database: Database, settings: ConductorSettings, handlers: Handlers, announcer: Announcer
    ) -> None:
        self._database, self._settings = database, settings
        self._handlers, self._announcer = handlers, announcer

    def begin(self, request: BeginRequest) -> Verdict:
        """May this agent touch its host for this attempt?"""
        with BEGIN:
            verdict = self._database.write(lambda conn: self._begin(conn, request))
        BEGIN.reported()
        return verdict

    def _begin(self, conn: Connection, request: BeginRequest) -> Verdict:
        operation = operations.locked(conn, request.server_id, request.operation_id)
        refusal = refused(conn, operation, request.host, request.epoch, request.attempt)
        if refusal is not None:
            return refusal
        assert operation is not None  # an unknown one was refused
        if operation.host_forced_down:  # nothing new there, also not in the new epoch, until the operator says so
            return Verdict(accepted=False, reason=f'host {operation.host} is forced down')
        if operation.state == states.STARTED:
            return ACCEPTED
        if not servers.change(conn, operation.server_id, operation.id, {'task_state': operation.move.begun_task}):
            raise Raced
        lease = utc_now(min(self._settings.lease_s, max(operation.remaining_s, 0)))
        operations.move(conn, operation, states.EVENT_BEGIN, {'tries': 0, 'next_run_at': lease})
        return ACCEPTED

    def finish(self, report: FinishReport) -> Verdict:
        """This attempt is done, or has failed."""
        with FINISH:
            verdict, effects = self._database.write(lambda conn: self._finish(conn, report))
        self._announcer.send(effects)
        FINISH.reported()
        return verdict

    def _finish(self, conn: Connection, report: FinishReport) -> tuple[Verdict, Effects]:
        operation = operations.locked(conn, report.server_id, report.operation_id)
        refusal = refused(conn, operation, report.host, report.epoch, report.attempt)
        if refusal is not None:
            told = operation is not None and _told_before(operation, report)
            return ACCEPTED if told else refusal, Effects()
        assert operation is not None  # an unknown one was refused
        if report.succeeded and operation.state == states.SCHEDULED and operation.kind != states.DELETE:
            return Verdict(accepted=False, reason=f'operation {operation.id} has not begun'), Effects()
        handler = self._handlers.of(operation.kind)
        if report.succeeded and operation.kind == states.BUILD and operation.host_forced_down:
            # Not yet moved from there; its guest has executed nothing, and must not begin where none should run.
            moved = handler.lose_host(conn, operation) or Effects()
            reason = f'host {report.host} is forced down'
            return Verdict(accepted=False, wanted=states.WANT_ABSENT, reason=reason), moved
        history.add_steps(conn, operation.id, report.host, report.attempt, report.steps)
        if report.succeeded:
            return ACCEPTED, handler.succeed(conn, operation, report)
        return ACCEPTED, handler.fail(conn, operation, report)


def _told_before(operation: Active, report: FinishReport) -> bool:
    """The same attempt has ended the operation in the same way, and its answer was lost.

    Not if the server has left this host since then: a guest that waits for this answer would be let run.
    """
    ending = states.DONE if report.succeeded else states.FAILED
    if operation.state != ending or operation.attempt != report.attempt or operation.host != report.host:
        return False
    here = not operation.server.deleted and operation.server.host_id == operation.host_id
    if report.succeeded:
        return here or operation.kind == states.DELETE
    # A build that was given up keeps its allocation until its host is known to be clean. The refusal has that told.
    return not (here and operation.kind == states.BUILD and report.clean)


def refused(conn: Connection, operation: Active | None, host: str, epoch: int, attempt: int) -> Verdict | None:
    """Why an agent may not go on with an attempt; None: it may. Raises StaleEpoch: it must register first."""
    if operation is None:
        # It may come from a database that was restored from a backup: what nobody can explain is left alone.
        return Verdict(accepted=False, wanted=states.WANT_LEAVE, reason='no such operation is known')
    here = hosts.by_name(conn, host)
    if here.epoch != epoch:
        raise exceptions.StaleEpoch(f'host {host} is in epoch {here.epoch}, not {epoch}: register again')
    if operation.ended or not operation.current:
        reason = f'operation {operation.id} is {operation.state}'
    elif operation.host_id != here.id:
        reason = f'operation {operation.id} is {operation.state} on {operation.host or "no host"}'
    elif operation.attempt != attempt:
        reason = f'attempt {attempt} was replaced by {operation.attempt}'
    else:
        return None
    return Verdict(accepted=False, wanted=wanted_on(operation.server, here.id), reason=reason)


def wanted_on(server: object, host_id: int) -> str:
    """What a host should make of a server (a row, or the server's part of one)."""
    if getattr(server, 'deleted', False) or getattr(server, 'host_id', host_id) != host_id:
        return states.WANT_ABSENT
    return states.wanted(
        str(getattr(server, 'vm_state')),  # noqa: B009 - rows have no static attributes
        operation_active=getattr(server, 'operation_id') is not None,  # noqa: B009
        launched=getattr(server, 'launched_at') is not None,  # noqa: B009
    )
