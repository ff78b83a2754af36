"""What agents report of their hosts: registration, heartbeats, cleaned residues, power states."""

import logging
from typing import Any

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor.db import allocations, hosts, operations, servers
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Database, Raced
from cloudplane.conductor.effects import Announcer, Effects
from cloudplane.conductor.execution import refused, wanted_on
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import (
    Heartbeat,
    HeartbeatAnswer,
    HeldOperation,
    PowerReport,
    Refusal,
    RegisterAnswer,
    Residue,
    WantedGuest,
    WorkOrder,
)

LOG = logging.getLogger(__name__)
REGISTER = faultpoints.declare('conductor.register.commit', reports=True)
CLEANED = faultpoints.declare('conductor.cleaned.commit', reports=True)


class Agents:
    """Answers agents about their hosts."""

    def __init__(self, database: Database, settings: ConductorSettings, orders: Orders, announcer: Announcer) -> None:
        self._database, self._settings = database, settings
        self._orders, self._announcer = orders, announcer

    # Registration

    def register(self, inventory: HostInventory) -> RegisterAnswer:
        """An agent has started: its epoch, what to clean, what its guests should be, and what work has not ended."""
        with REGISTER:
            answer, effects = self._database.write(lambda conn: self._register(conn, inventory))
        self._announcer.send(effects)
        REGISTER.reported()
        LOG.info('Host %s has registered in epoch %d', inventory.host, answer.epoch)
        return answer

    def _register(self, conn: Connection, inventory: HostInventory) -> tuple[RegisterAnswer, Effects]:
        # Operations before their host, as everywhere. Their host before its residues: see hosts.set_up_if_clean.
        # A host that was forced down resumes nothing: its operations are being ended, whoever is faster.
        work = tuple(
            self._resumed(conn, operation, inventory.host)
            for operation in operations.of_host(conn, inventory.host)
            if not operation.host_forced_down
        )
        host = hosts.register(conn, inventory)
        residues = allocations.residues(conn, host.id)
        hosts.set_up(conn, host.id, not residues)
        guests = tuple(
            WantedGuest(
                server_id=row.id,
                sequence=row.sequence,
                wanted=_allowed(host, wanted_on(row, host.id)),
                vm_state=row.vm_state,
            )
            for row in servers.on_host(conn, host.id)
        )
        answer = RegisterAnswer(epoch=host.epoch, residues=residues, guests=guests, work=work)
        return answer, Effects(hosts={host.id})

    def _resumed(self, conn: Connection, operation: Active, host: str) -> WorkOrder:
        """The work order of an operation that its agent, which has started anew, no longer holds."""
        attempt = operation.attempt + (1 if operation.state == states.STARTED else 0)
        lease_s = min(self._settings.lease_s, max(operation.remaining_s, 0))
        values = {'attempt': attempt, 'next_run_at': utc_now(lease_s)}
        if not operations.take(conn, operation, values):
            raise Raced
        return self._orders.work_order(operation, host=host, attempt=attempt)

    def cleaned(self, host: str, epoch: int, server_ids: tuple[str, ...]) -> None:
        """Nothing of these servers is left on the host."""
        with CLEANED:
            effects = self._database.write(lambda conn: self._cleaned(conn, host, epoch, server_ids))
        self._announcer.send(effects)
        CLEANED.reported()

    def _cleaned(self, conn: Connection, name: str, epoch: int, server_ids: tuple[str, ...]) -> Effects:
        host = hosts.by_name(conn, name)
        if host.epoch != epoch:
            raise exceptions.StaleEpoch(f'host {name} is in epoch {host.epoch}, not {epoch}: register again')
        for server_id in sorted(server_ids):
            servers.lock(conn, server_id)
        for row in servers.on_host(conn, host.id):
            # A build that failed without being sure that its host was clean kept its capacity until now.
            if row.id in server_ids and wanted_on(row, host.id) == states.WANT_ABSENT:
                if not servers.change(conn, row.id, None, {'host_id': None}):
                    raise Raced
                allocations.release(conn, row.id)
        allocations.clean(conn, host.id, server_ids)
        hosts.set_up_if_clean(conn, host.id)
        return Effects(hosts={host.id})

    # Heartbeat

    def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """An agent is alive: renews the leases of what it holds, and names what it must not finish."""
        answer, effects = self._database.write(lambda conn: self._heartbeat(conn, heartbeat))
        self._announcer.send(effects)
        return answer

    def _heartbeat(self, conn: Connection, heartbeat: Heartbeat) -> tuple[HeartbeatAnswer, Effects]:
        try:
            host = hosts.by_name(conn, heartbeat.host)
        except exceptions.HostNotFound:
            return HeartbeatAnswer(registered=False), Effects()
        if host.epoch != heartbeat.epoch:
            return HeartbeatAnswer(registered=False), Effects()
        hosts.beat(conn, host.service_id)
        refusals = self._renew(conn, heartbeat, host.id) if heartbeat.held else ()
        effects = Effects()
        if heartbeat.inventory is not None and servers.encode(heartbeat.inventory) != host.inventory_json:
            hosts.register(conn, heartbeat.inventory)
            effects.host(host.id)
        if not host.up and hosts.set_up_if_clean(conn, host.id):
            effects.host(host.id)
        return HeartbeatAnswer(registered=True, refusals=refusals, residues=_unwanted(conn, host.id)), effects

    def _renew(self, conn: Connection, heartbeat: Heartbeat, host_id: int) -> tuple[Refusal, ...]:
        known = operations.get_many(conn, [held.operation_id for held in heartbeat.held])
        refusals, renewed = [], []
        for held in heartbeat.held:
            operation = known.get(held.operation_id)
            verdict = refused(conn, operation, heartbeat.host, heartbeat.epoch, held.attempt)
            if verdict is None:
                renewed.append(held)
            elif not _replaced_by_itself(operation, held, heartbeat.host):
                refusals.append(
                    Refusal(
                        operation_id=held.operation_id,
                        server_id=held.server_id,
                        attempt=held.attempt,
                        wanted=verdict.wanted,
                        reason=verdict.reason,
                    )
                )
        for held in sorted(renewed, key=lambda held: held.server_id):  # servers before operations, as everywhere
            _show_step(conn, known[held.operation_id], held)
        if renewed:
            operations.renew(conn, host_id, [held.operation_id for held in renewed], self._settings.lease_s)
        return tuple(refusals)

    # Power states

    def power_states(self, host: str, epoch: int, reports: tuple[PowerReport, ...]) -> tuple[WantedGuest, ...]:
        """What the guests of a host do. The answer names those that should do something else."""
        return self._database.write(lambda conn: self._power_states(conn, host, epoch, reports))

    def _power_states(
        self, conn: Connection, name: str, epoch: int, reports: tuple[PowerReport, ...]
    ) -> tuple[WantedGuest, ...]:
        host = hosts.by_name(conn, name)
        if host.epoch != epoch:
            raise exceptions.StaleEpoch(f'host {name} is in epoch {host.epoch}, not {epoch}: register again')
        known = {row.id: row for row in servers.on_host(conn, host.id)}
        other = []
        for report in sorted(reports, key=lambda report: report.server_id):
            row = known.get(report.server_id)
            if row is None:
                continue
            if wanted := self._judge(conn, host, row, report):
                # An operation that runs may not have come to its host: who looks before must not know its sequence.
                sequence = row.sequence if row.operation_id is None else report.sequence
                other.append(WantedGuest(server_id=row.id, sequence=sequence, wanted=wanted, vm_state=row.vm_state))
        return tuple(other)

    def _judge(self, conn: Connection, host: hosts.HostState, row: Any, report: PowerReport) -> str | None:
        """What the guest should do instead; `leave`: the report was not taken, the agent is to look again."""
        # Only a server that rests, seen after its last operation: an older look says nothing. (A newer one is from
        # before a backup was restored.)
        if row.operation_id is not None or report.sequence < row.sequence:
            return states.WANT_LEAVE
        changes = _power_changes(row, report.power_state)
        if changes and not servers.change(conn, row.id, None, changes):
            return states.WANT_LEAVE  # an operation was accepted a moment ago
        wanted = _power_wanted(row.vm_state, report.power_state)
        return wanted if wanted is None or _allowed(host, wanted) == wanted else None


def _allowed(host: hosts.HostState, wanted: str) -> str:
    """What may be wanted of a host: nothing starts where the operator says that nothing runs."""
    return states.WANT_LEAVE if host.forced_down and wanted == states.WANT_ON else wanted


def _unwanted(conn: Connection, host_id: int) -> tuple[Residue, ...]:
    """What the host should remove: residues, and builds that were given up while its agent no longer held them."""
    failed = (Residue(server_id=row.id, sequence=row.sequence) for row in servers.failed_builds(conn, host_id))
    return (*allocations.residues(conn, host_id), *failed)


def _replaced_by_itself(operation: Active | None, held: HeldOperation, host: str) -> bool:
    """A re-drive has raised the attempt, and its wake-up is on the way to the same agent: no reason to stop."""
    if operation is None or operation.ended or not operation.current:
        return False
    return operation.host == host and operation.attempt > held.attempt


def _show_step(conn: Connection, operation: Active, held: HeldOperation) -> None:
    task = states.STEP_TASKS.get((operation.kind, held.step))
    if held.running and task is not None and operation.server.task_state != task:
        servers.change(conn, operation.server_id, operation.id, {'task_state': task})


def _power_changes(row: Any, power_state: int) -> dict[str, Any]:
    changes: dict[str, Any] = {} if row.power_state == power_state else {'power_state': power_state}
    vm_state = states.at_rest(row.vm_state, power_state)
    return changes if vm_state == row.vm_state else {**changes, 'vm_state': vm_state}


def _power_wanted(vm_state: str, power_state: int) -> str | None:
    if vm_state == states.STOPPED and power_state == states.RUNNING:
        return states.WANT_OFF
    if vm_state == states.ACTIVE and power_state == states.POWER_PAUSED:
        return states.WANT_ON  # committed, but its agent died before it let the guest run
    return None
