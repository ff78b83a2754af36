"""The conductor's RPC end-points. Thin: each finds who does the work."""

from cloudplane import exceptions
from cloudplane.conductor.accept import ACCEPT, Acceptor
from cloudplane.conductor.agents import Agents
from cloudplane.conductor.claims import Claimer
from cloudplane.conductor.db import flavors, history, hosts, keypairs, servers
from cloudplane.conductor.db.session import Connection, Database
from cloudplane.conductor.effects import Announcer
from cloudplane.conductor.execution import Executor
from cloudplane.conductor.host_admin import HostAdmin
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.context import RequestContext
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostGeneration, HostInventory, HostRow
from cloudplane.objects.keypair import Keypair
from cloudplane.objects.operation import (
    Accepted,
    BeginRequest,
    CreateRequest,
    FinishReport,
    Heartbeat,
    HeartbeatAnswer,
    OperationRecord,
    OperationRequest,
    PowerReport,
    RegisterAnswer,
    Selection,
    Verdict,
    WantedGuest,
)
from cloudplane.objects.server import Server, ServerQuery
from cloudplane.objects.service import HostDetail, Service
from cloudplane.rpc.transport import end_point_target, expected

answers = expected(exceptions.CloudplaneException)  # refusals are answers: they are not logged as faults


class ConductorManager:
    """One method for each method of rpcapi/conductor.py."""

    target = end_point_target()

    def __init__(
        self,
        database: Database,
        settings: ConductorSettings,
        *,
        acceptor: Acceptor,
        claimer: Claimer,
        executor: Executor,
        agents: Agents,
        host_admin: HostAdmin,
        announcer: Announcer,
    ) -> None:
        self._database, self._settings = database, settings
        self._acceptor, self._claimer, self._executor = acceptor, claimer, executor
        self._agents, self._host_admin, self._announcer = agents, host_admin, announcer

    # Accept

    @answers
    def accept_create(self, ctxt: RequestContext, request: CreateRequest) -> Accepted:
        """Accept N builds."""
        accepted = self._acceptor.create(ctxt, request)
        ACCEPT.reported()
        return accepted

    @answers
    def accept_operation(self, ctxt: RequestContext, request: OperationRequest) -> Accepted:
        """Accept anything else."""
        accepted, effects = self._acceptor.operation(ctxt, request)
        self._announcer.send(effects)
        ACCEPT.reported()
        return accepted

    # Servers and their operations

    @answers
    def server_get(self, ctxt: RequestContext, server_id: str, project_id: str | None) -> Server:
        """One server."""
        return self._database.read(lambda conn: servers.get(conn, server_id, project_id))

    @answers
    def server_list(self, ctxt: RequestContext, query: ServerQuery) -> tuple[Server, ...]:
        """A page of servers."""
        return self._database.read(lambda conn: servers.page(conn, query))

    @answers
    def server_rename(self, ctxt: RequestContext, server_id: str, project_id: str | None, name: str) -> Server:
        """Change the display name."""
        return self._database.write(lambda conn: servers.rename(conn, server_id, project_id, name))

    @answers
    def operation_list(
        self, ctxt: RequestContext, server_id: str, project_id: str | None
    ) -> tuple[OperationRecord, ...]:
        """The operations of a server, newest first."""

        def read(conn: Connection) -> tuple[OperationRecord, ...]:
            servers.must_exist(conn, server_id, project_id)
            return tuple(history.of_server(conn, server_id))

        return self._database.read(read)

    @answers
    def operation_get(
        self, ctxt: RequestContext, server_id: str, project_id: str | None, request_id: str
    ) -> OperationRecord:
        """The operation of a request, with its steps."""

        def read(conn: Connection) -> OperationRecord:
            servers.must_exist(conn, server_id, project_id)
            found = history.of_server(conn, server_id, request_id)
            if not found:
                raise exceptions.NotFound(f'Action for request_id {request_id} on instance {server_id} not found')
            return found[0]

        return self._database.read(read)

    # Flavors and keypairs

    @answers
    def flavor_list(self, ctxt: RequestContext) -> tuple[Flavor, ...]:
        """All flavors."""
        return self._database.read(flavors.list_all)

    @answers
    def flavor_get(self, ctxt: RequestContext, flavor_id: str) -> Flavor:
        """One flavor."""
        return self._database.read(lambda conn: flavors.get(conn, flavor_id))

    @answers
    def flavor_create(self, ctxt: RequestContext, flavor: Flavor) -> Flavor:
        """Make a flavor."""
        return self._database.write(lambda conn: flavors.create(conn, flavor))

    @answers
    def flavor_delete(self, ctxt: RequestContext, flavor_id: str) -> None:
        """Remove a flavor."""
        self._database.write(lambda conn: flavors.remove(conn, flavor_id))

    @answers
    def keypair_list(self, ctxt: RequestContext, user_id: str) -> tuple[Keypair, ...]:
        """A user's keypairs."""
        return self._database.read(lambda conn: keypairs.list_of(conn, user_id))

    @answers
    def keypair_get(self, ctxt: RequestContext, user_id: str, name: str) -> Keypair:
        """One keypair."""
        return self._database.read(lambda conn: keypairs.get(conn, user_id, name))

    @answers
    def keypair_create(self, ctxt: RequestContext, keypair: Keypair) -> Keypair:
        """Keep a public key."""
        return self._database.write(lambda conn: keypairs.create(conn, keypair, self._settings.quota_key_pairs))

    @answers
    def keypair_delete(self, ctxt: RequestContext, user_id: str, name: str) -> None:
        """Remove a keypair."""
        self._database.write(lambda conn: keypairs.remove(conn, user_id, name))

    # Services and hosts

    @answers
    def service_list(self, ctxt: RequestContext) -> tuple[Service, ...]:
        """All daemons."""
        return self._database.read(lambda conn: hosts.services(conn, self._settings.host_down_s))

    @answers
    def service_report(self, ctxt: RequestContext, binary: str, host: str) -> None:
        """The heartbeat of a daemon that is not a compute agent."""
        self._database.write(lambda conn: hosts.report(conn, binary, host))

    @answers
    def host_list(self, ctxt: RequestContext) -> tuple[HostDetail, ...]:
        """All compute hosts."""
        return self._database.read(hosts.details)

    @answers
    def host_set_disabled(self, ctxt: RequestContext, host: str, disabled: bool, reason: str | None) -> None:
        """Keep new servers away from a host, or let them in again."""
        self._host_admin.set_disabled(host, disabled, reason)

    @answers
    def host_force_down(self, ctxt: RequestContext, host: str, forced_down: bool) -> None:
        """The operator's word about a host."""
        self._host_admin.force_down(host, forced_down)

    # For the scheduler

    @answers
    def claim(self, ctxt: RequestContext, selections: tuple[Selection, ...]) -> None:
        """Take the capacity that was chosen."""
        self._claimer.claim(selections)

    @answers
    def host_snapshot(self, ctxt: RequestContext) -> tuple[HostRow, ...]:
        """All hosts."""
        return self._database.read(hosts.rows)

    @answers
    def host_generations(self, ctxt: RequestContext) -> tuple[HostGeneration, ...]:
        """The generation of each host."""
        return self._database.read(hosts.generations)

    @answers
    def host_rows(self, ctxt: RequestContext, host_ids: tuple[int, ...]) -> tuple[HostRow, ...]:
        """Some hosts."""
        return self._database.read(lambda conn: hosts.rows(conn, host_ids))

    # For the agents

    @answers
    def register(self, ctxt: RequestContext, inventory: HostInventory) -> RegisterAnswer:
        """An agent has started."""
        return self._agents.register(inventory)

    @answers
    def begin(self, ctxt: RequestContext, request: BeginRequest) -> Verdict:
        """May an agent touch its host?"""
        return self._executor.begin(request)

    @answers
    def finish(self, ctxt: RequestContext, report: FinishReport) -> Verdict:
        """An agent is done, or has failed."""
        return self._executor.finish(report)

    @answers
    def heartbeat(self, ctxt: RequestContext, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """An agent is alive."""
        return self._agents.heartbeat(heartbeat)

    @answers
    def cleaned(self, ctxt: RequestContext, host: str, epoch: int, server_ids: tuple[str, ...]) -> None:
        """Nothing of these servers is left on a host."""
        self._agents.cleaned(host, epoch, server_ids)

    @answers
    def power_states(
        self, ctxt: RequestContext, host: str, epoch: int, reports: tuple[PowerReport, ...]
    ) -> tuple[WantedGuest, ...]:
        """What the guests of a host do."""
        return self._agents.power_states(host, epoch, reports)
