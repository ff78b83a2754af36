"""What all verbs share when an operation ends."""

import abc
from typing import Any

from cloudplane import states
from cloudplane.conductor.db import operations, servers
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.session import Connection, Raced
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.objects.operation import FinishReport


class Handler(abc.ABC):
    """The endings of one verb. Each method runs inside a transaction; it moves operation and server together."""

    def __init__(self, settings: ConductorSettings, orders: Orders) -> None:
        self._settings, self._orders = settings, orders

    @abc.abstractmethod
    def succeed(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The agent has done it."""

    @abc.abstractmethod
    def fail(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The agent could not do it, and says why."""

    @abc.abstractmethod
    def lose_host(self, conn: Connection, operation: Active) -> Effects | None:
        """The operation's host is down or forced down; None: it waits for the host to come back."""

    def give_up(self, conn: Connection, operation: Active, message: str) -> Effects:
        """The deadline is over, or the tries are used up. The allocation stays until the host is clean."""
        self.end(conn, operation, states.EVENT_GIVE_UP, {'vm_state': states.ERROR}, message=message)
        return Effects()

    def end(
        self,
        conn: Connection,
        operation: Active,
        event: str,
        server_values: dict[str, Any],
        *,
        message: str | None = None,
        details: str | None = None,
    ) -> None:
        """End an operation and let its server rest; with a fault, if there is a message."""
        values = {'operation_id': None, 'task_state': None, **server_values}
        if not servers.change(conn, operation.server_id, operation.id, values):
            raise Raced
        operations.move(conn, operation, event, {'message': message})
        if message is not None:
            servers.add_fault(conn, operation.server_id, operation.id, 500, message, details)


class OnHostHandler(Handler):
    """A verb that works on a guest where it is: it does not move to another host."""

    def fail(self, conn: Connection, operation: Active, report: FinishReport) -> Effects:
        """The server stays what it was, unless nobody knows what became of its guest."""
        vm_state = states.at_rest(operation.server.vm_state, report.power_state)
        values: dict[str, Any] = {'vm_state': states.ERROR if report.guest_unknown else vm_state}
        if report.power_state:
            values['power_state'] = report.power_state  # the agent does not tell it again
        self.end(
            conn,
            operation,
            states.EVENT_FAILED,
            values,
            message=report.message,
            details=report.details,
        )
        return Effects()

    def lose_host(self, conn: Connection, operation: Active) -> Effects | None:
        """Wait for a host that is down; give up when the operator says that it is off."""
        if not operation.host_forced_down:
            return None
        begun = operation.state == states.STARTED
        self.end(
            conn,
            operation,
            states.EVENT_FORCED_DOWN,
            {'vm_state': states.ERROR if begun else operation.server.vm_state},
            message=f'Host {operation.host} was forced down before {operation.move.action} had ended. '
            'Start the server again when the host is back, or move it to another one.',
        )
        return Effects()
