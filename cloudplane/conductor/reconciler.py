"""Re-drives what stands still: lost casts, dead agents, silent hosts, deadlines. Any number of conductors may run it.

Each look is stamped in the database. Nothing is believed to be over while nobody had looked (a grace): neither a lease
nor a host.
"""

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor.accept import Acceptor
from cloudplane.conductor.db import hosts, idempotency, operations, ticks
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Database
from cloudplane.conductor.effects import Announcer, Effects
from cloudplane.conductor.image_sweeper import ImageSweeper
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings

LOG = logging.getLogger(__name__)
RECONCILE = faultpoints.declare('conductor.reconcile.commit', reports=True)
HOST_DOWN = faultpoints.declare('conductor.host_down.commit', reports=True)
MAX_BACK_OFF_S = 60.0
HOUSEKEEPING_TICKS = 30


class Reconciler:
    """Looks every few seconds at what is due, and does the next thing about it."""

    def __init__(
        self,
        database: Database,
        settings: ConductorSettings,
        handlers: Handlers,
        orders: Orders,
        announcer: Announcer,
        acceptor: Acceptor,
        sweeper: ImageSweeper,
    ) -> None:
        self._database, self._settings = database, settings
        self._handlers, self._orders, self._announcer, self._acceptor = handlers, orders, announcer, acceptor
        self._sweeper = sweeper
        self._ticks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name='reconciler', daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present look."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        # Jittered, so that several conductors do not look at the same rows at the same moment.
        while not self._stopped.wait(self._settings.reconcile_s * random.uniform(0.8, 1.2)):
            try:
                self.look()
            except exceptions.CloudplaneException as error:
                LOG.warning('The reconciler could not look: %s', error)
            except Exception:
                LOG.exception('The reconciler failed; it looks again in %g s', self._settings.reconcile_s)

    def look(self) -> None:
        """Look once. Public, so that tests decide when."""
        grace = self._database.write(self._tick)
        if not grace:
            grace = self._mark_silent_hosts()
        for operation in self._database.read(lambda conn: operations.due(conn, self._settings.reconcile_rows)):
            # What has begun waits, its deadline too: it may be done on its host, which could tell nobody.
            if not (grace and operation.state == states.STARTED):
                self._guarded(operation)
        self._acceptor.active_operations = self._database.read(operations.count_active)
        self._ticks += 1
        if self._ticks % HOUSEKEEPING_TICKS == 1:
            self._database.write(idempotency.expire)
            self._sweeper.sweep()

    def _tick(self, conn: Connection) -> bool:
        """Stamp this look; whether nothing may expire now."""
        gap_s, grace = ticks.tick(conn, self._settings.reconcile_s, self._settings.grace_s)
        if gap_s < -ticks.JITTER_S:
            LOG.warning('The clock of the database went back by %.0f s', -gap_s)
            longest_s = max(MAX_BACK_OFF_S, self._settings.lease_s)
            operations.forget_future(conn, longest_s, {kind: self._settings.deadline_s(kind) for kind in states.MOVES})
            hosts.forget_future(conn)
        return grace

    # Hosts

    def _mark_silent_hosts(self) -> bool:
        """Mark hosts down that have been silent too long; True if it looks as if the fault was ours."""
        silent = self._database.read(lambda conn: hosts.silent(conn, self._settings.host_down_s))
        if not silent:
            return False
        news = self._silent_since_grace(silent)
        up = self._database.read(hosts.count_up)
        if up > 1 and 2 * news >= up:
            LOG.warning('%d of %d hosts fell silent at once: nothing expires for a while', news, up)
            self._database.write(lambda conn: ticks.start_grace(conn, self._settings.grace_s))
            return True
        for host_id in silent:
            self._mark_down(host_id)
        return False

    def _silent_since_grace(self, silent: dict[int, datetime]) -> int:
        """How many of these hosts were not silent yet when the last grace began: the others have had theirs."""
        began = self._database.read(lambda conn: ticks.last_grace(conn, self._settings.grace_s))
        if began is None:
            return len(silent)
        heard_before = began - timedelta(seconds=self._settings.host_down_s)
        return sum(last_seen_at >= heard_before for last_seen_at in silent.values())

    def _mark_down(self, host_id: int) -> None:
        def transaction(conn: Connection) -> str | None:
            still = host_id in hosts.silent(conn, self._settings.host_down_s) and hosts.set_up(conn, host_id, False)
            return operations.host_name(conn, host_id) if still else None

        with HOST_DOWN:
            host = self._database.write(transaction)
        if host is None:
            return  # another conductor was first, or the host has been heard of
        LOG.warning('Host %s is down: it was silent for %g s', host, self._settings.host_down_s)
        self._announcer.send(Effects(hosts={host_id}))
        HOST_DOWN.reported()
        self.leave_host(host)

    def leave_host(self, host: str) -> None:
        """Move what can be moved from a host that is down, and end what cannot go on there."""
        for operation in self._database.read(lambda conn: operations.of_host(conn, host)):
            self._transact(operation, self._lose_host)

    def _lose_host(self, conn: Connection, operation: Active) -> Effects:
        if operation.host_up:
            return Effects()
        return self._handlers.of(operation.kind).lose_host(conn, operation) or Effects()

    # Operations

    def _guarded(self, operation: Active) -> None:
        """One operation whose rows nobody can handle must not keep the others from being driven."""
        try:
            with RECONCILE:
                self._transact(operation, lambda conn, now: self._drive_if_due(conn, operation, now))
            RECONCILE.reported()
        except exceptions.DatabaseUnavailable:
            raise
        except Exception:
            LOG.exception('Operation %s of server %s could not be driven', operation.id, operation.server_id)

    def _transact(self, seen: Active, step: Callable[[Connection, Active], Effects]) -> None:
        def transaction(conn: Connection) -> Effects:
            now = operations.locked(conn, seen.server_id, seen.id)
            return step(conn, now) if now is not None and not now.ended else Effects()

        self._announcer.send(self._database.write(transaction))

    def _drive_if_due(self, conn: Connection, seen: Active, now: Active) -> Effects:
        # Another conductor may have taken it up, or its agent renewed its lease, since it was seen to be due.
        return self._drive(conn, now) if now.next_run_at == seen.next_run_at else Effects()

    def _drive(self, conn: Connection, operation: Active) -> Effects:
        handler = self._handlers.of(operation.kind)
        if operation.remaining_s <= 0:
            return handler.give_up(
                conn,
                operation,
                f'{operation.move.action} did not end within {self._settings.deadline_s(operation.kind):g} s'
                f'{_where_and_why(operation)}',
            )
        if operation.host_id is not None and not operation.host_up:
            left = handler.lose_host(conn, operation)
            if left is not None:
                return left
            if operation.state == states.STARTED:
                return self._await_host(conn, operation)
        if operation.state == states.STARTED:
            return self._redrive(conn, operation)
        return self._wake(conn, operation)

    def _await_host(self, conn: Connection, operation: Active) -> Effects:
        """Its host is down, and nobody can say what became of it: that is no try. The agent resumes it, or we do."""
        self._take(conn, operation, operation.tries, self._settings.wake_up_s[-1], operation.attempt)
        return Effects()

    def _wake(self, conn: Connection, operation: Active) -> Effects:
        """It has not begun: its wake-up was lost, or nobody was there. Asking again changes nothing."""
        tries = operation.tries + 1
        if not self._take(conn, operation, tries, self._settings.wake_up_after_s(tries), operation.attempt):
            return Effects()
        if operation.state == states.QUEUED:
            return Effects(builds=[self._orders.build_spec(operation)])
        return self._order(operation, operation.attempt)

    def _redrive(self, conn: Connection, operation: Active) -> Effects:
        """Its lease is over: the agent may be dead. It goes on where it was, for it may have had effects there."""
        if operation.tries >= self._settings.tries and operation.kind != states.DELETE:
            return self._handlers.of(operation.kind).give_up(
                conn,
                operation,
                f'{operation.move.action} was tried {operation.tries} times on host {operation.host} without progress'
                + (f': {operation.message}' if operation.message else ''),
            )
        attempt = operation.attempt + 1
        back_off_s = min(MAX_BACK_OFF_S, self._settings.wake_up_after_s(0) * 2**operation.tries)
        if not self._take(conn, operation, operation.tries + 1, max(back_off_s, self._settings.lease_s), attempt):
            return Effects()
        LOG.info('%s of %s is driven again as attempt %d', operation.kind, operation.server_id, attempt)
        return self._order(operation, attempt)

    def _take(self, conn: Connection, operation: Active, tries: int, after_s: float, attempt: int) -> bool:
        """Take it up on behalf of this conductor; False: another one was first."""
        next_run_at = utc_now(min(after_s, operation.remaining_s))
        return operations.take(conn, operation, {'tries': tries, 'attempt': attempt, 'next_run_at': next_run_at})

    def _order(self, operation: Active, attempt: int) -> Effects:
        assert operation.host is not None  # only a queued build has none
        return Effects(orders=[self._orders.work_order(operation, host=operation.host, attempt=attempt)])


def _where_and_why(operation: Active) -> str:
    where = f' on host {operation.host}' if operation.host else ''
    why = f': {operation.message}' if operation.message else ''
    away = operation.host is not None and not operation.host_up
    return f'{where}{why}' + ('. The host is down: ask again when its agent is back' if away else '')
