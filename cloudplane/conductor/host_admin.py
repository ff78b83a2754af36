"""What operators decide about hosts: disable them, or give their word that they are off."""

from cloudplane import faultpoints
from cloudplane.conductor.db import hosts
from cloudplane.conductor.db.session import Connection, Database
from cloudplane.conductor.effects import Announcer, Effects
from cloudplane.conductor.reconciler import Reconciler

FORCE_DOWN = faultpoints.declare('conductor.force_down.commit', reports=True)


class HostAdmin:
    """Changes hosts on an operator's behalf."""

    def __init__(self, database: Database, announcer: Announcer, reconciler: Reconciler) -> None:
        self._database, self._announcer, self._reconciler = database, announcer, reconciler

    def set_disabled(self, name: str, disabled: bool, reason: str | None) -> None:
        """Keep new servers away from a host, or let them in again. Raises HostNotFound."""

        def transaction(conn: Connection) -> int:
            host = hosts.by_name(conn, name)
            hosts.change(conn, host.id, {'disabled': disabled, 'disabled_reason': reason if disabled else None})
            return host.id

        self._announcer.send(Effects(hosts={self._database.write(transaction)}))

    def force_down(self, name: str, forced_down: bool) -> None:
        """The host is off or cut off (its epoch rises: an agent that still runs there is refused), or it is not.

        Raises HostNotFound.
        """

        def transaction(conn: Connection) -> int:
            host = hosts.locked(conn, hosts.by_name(conn, name).id)
            if forced_down and not host.forced_down:
                hosts.raise_epoch(conn, host.id)
            elif not forced_down:
                hosts.change(conn, host.id, {'forced_down': False})  # up again with its next registration
            return host.id

        with FORCE_DOWN:
            host_id = self._database.write(transaction)
        self._announcer.send(Effects(hosts={host_id}))
        FORCE_DOWN.reported()
        if forced_down:
            self._reconciler.leave_host(name)
