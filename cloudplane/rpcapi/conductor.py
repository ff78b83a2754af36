"""The conductor's client: accept, read, claim, begin, finish, heartbeat."""

from typing import Any, cast

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
from cloudplane.rpc.transport import CONDUCTOR_TOPIC, RpcClient


class ConductorAPI(RpcClient):
    """All methods are calls, unless they say otherwise; ServiceUnavailable when no answer came in time."""

    def __init__(self, transport: Any, *, timeout_s: float = 30, cast_retry: int = 2) -> None:
        super().__init__(transport, CONDUCTOR_TOPIC, timeout_s=timeout_s, cast_retry=cast_retry)

    # Accept

    def accept_create(self, ctxt: RequestContext, request: CreateRequest) -> Accepted:
        """Accept N builds. FlavorNotFound, KeypairNotFound, QuotaExceeded, BadRequest, IdempotencyMismatch."""
        return cast(Accepted, self._call(ctxt, 'accept_create', request=request))

    def accept_operation(self, ctxt: RequestContext, request: OperationRequest) -> Accepted:
        """Accept anything else. ServerNotFound, InvalidState, ServerBusy (names what runs), IdempotencyMismatch."""
        return cast(Accepted, self._call(ctxt, 'accept_operation', request=request))

    # Servers and their operations. `project_id` None: an admin, any project.

    def server_get(self, ctxt: RequestContext, server_id: str, project_id: str | None) -> Server:
        """One server. ServerNotFound: there is none, or it belongs to another project."""
        return cast(Server, self._call(ctxt, 'server_get', server_id=server_id, project_id=project_id))

    def server_list(self, ctxt: RequestContext, query: ServerQuery) -> tuple[Server, ...]:
        """A page of servers. BadRequest: unknown marker, bad regular expression."""
        return cast(tuple[Server, ...], self._call(ctxt, 'server_list', query=query))

    def server_rename(self, ctxt: RequestContext, server_id: str, project_id: str | None, name: str) -> Server:
        """Change the display name. ServerNotFound."""
        return cast(Server, self._call(ctxt, 'server_rename', server_id=server_id, project_id=project_id, name=name))

    def operation_list(
        self, ctxt: RequestContext, server_id: str, project_id: str | None
    ) -> tuple[OperationRecord, ...]:
        """The operations of a server, deleted ones too, newest first, without steps. ServerNotFound."""
        return cast(
            tuple[OperationRecord, ...],
            self._call(ctxt, 'operation_list', server_id=server_id, project_id=project_id),
        )

    def operation_get(
        self, ctxt: RequestContext, server_id: str, project_id: str | None, request_id: str
    ) -> OperationRecord:
        """The operation of a request, with its steps. ServerNotFound, NotFound."""
        return cast(
            OperationRecord,
            self._call(ctxt, 'operation_get', server_id=server_id, project_id=project_id, request_id=request_id),
        )

    # Flavors and keypairs

    def flavor_list(self, ctxt: RequestContext) -> tuple[Flavor, ...]:
        """All flavors, sorted by memory and id."""
        return cast(tuple[Flavor, ...], self._call(ctxt, 'flavor_list'))

    def flavor_get(self, ctxt: RequestContext, flavor_id: str) -> Flavor:
        """One flavor. FlavorNotFound."""
        return cast(Flavor, self._call(ctxt, 'flavor_get', flavor_id=flavor_id))

    def flavor_create(self, ctxt: RequestContext, flavor: Flavor) -> Flavor:
        """Make a flavor. FlavorExists: the id or the name is taken."""
        return cast(Flavor, self._call(ctxt, 'flavor_create', flavor=flavor))

    def flavor_delete(self, ctxt: RequestContext, flavor_id: str) -> None:
        """Remove a flavor; servers keep their copy. FlavorNotFound."""
        self._call(ctxt, 'flavor_delete', flavor_id=flavor_id)

    def keypair_list(self, ctxt: RequestContext, user_id: str) -> tuple[Keypair, ...]:
        """A user's keypairs by name."""
        return cast(tuple[Keypair, ...], self._call(ctxt, 'keypair_list', user_id=user_id))

    def keypair_get(self, ctxt: RequestContext, user_id: str, name: str) -> Keypair:
        """One keypair. KeypairNotFound."""
        return cast(Keypair, self._call(ctxt, 'keypair_get', user_id=user_id, name=name))

    def keypair_create(self, ctxt: RequestContext, keypair: Keypair) -> Keypair:
        """Keep a public key. KeypairExists, QuotaExceeded."""
        return cast(Keypair, self._call(ctxt, 'keypair_create', keypair=keypair))

    def keypair_delete(self, ctxt: RequestContext, user_id: str, name: str) -> None:
        """Remove a keypair. KeypairNotFound."""
        self._call(ctxt, 'keypair_delete', user_id=user_id, name=name)

    # Services and hosts

    def service_list(self, ctxt: RequestContext) -> tuple[Service, ...]:
        """All daemons that have reported."""
        return cast(tuple[Service, ...], self._call(ctxt, 'service_list'))

    def service_report(self, ctxt: RequestContext, binary: str, host: str) -> None:
        """The heartbeat of a daemon that is not a compute agent."""
        self._call(ctxt, 'service_report', binary=binary, host=host)

    def host_list(self, ctxt: RequestContext) -> tuple[HostDetail, ...]:
        """All compute hosts with totals and use."""
        return cast(tuple[HostDetail, ...], self._call(ctxt, 'host_list'))

    def host_set_disabled(self, ctxt: RequestContext, host: str, disabled: bool, reason: str | None) -> None:
        """Keep new servers away from a host, or let them in again. HostNotFound."""
        self._call(ctxt, 'host_set_disabled', host=host, disabled=disabled, reason=reason)

    def host_force_down(self, ctxt: RequestContext, host: str, forced_down: bool) -> None:
        """The operator's word that a host is off or cut off, or that it is no longer. HostNotFound."""
        self._call(ctxt, 'host_force_down', host=host, forced_down=forced_down)

    # For the scheduler

    def claim(self, ctxt: RequestContext, selections: tuple[Selection, ...]) -> None:
        """Cast: take the capacity that was chosen, or hear that there is none. Lost: the build is scheduled again."""
        self._cast(ctxt, 'claim', selections=selections)

    def host_snapshot(self, ctxt: RequestContext) -> tuple[HostRow, ...]:
        """All hosts. Asked once the feed is subscribed to."""
        return cast(tuple[HostRow, ...], self._call(ctxt, 'host_snapshot'))

    def host_generations(self, ctxt: RequestContext) -> tuple[HostGeneration, ...]:
        """The generation of each host, to be compared with the table."""
        return cast(tuple[HostGeneration, ...], self._call(ctxt, 'host_generations'))

    def host_rows(self, ctxt: RequestContext, host_ids: tuple[int, ...]) -> tuple[HostRow, ...]:
        """Some hosts; those that are gone are left out."""
        return cast(tuple[HostRow, ...], self._call(ctxt, 'host_rows', host_ids=host_ids))

    # For the agents

    def register(self, ctxt: RequestContext, inventory: HostInventory) -> RegisterAnswer:
        """An agent has started, or was told that its epoch is over."""
        return cast(RegisterAnswer, self._call(ctxt, 'register', inventory=inventory))

    def begin(self, ctxt: RequestContext, request: BeginRequest) -> Verdict:
        """May I touch my host for this? The same attempt asked again gets the same answer."""
        return cast(Verdict, self._call(ctxt, 'begin', request=request))

    def finish(self, ctxt: RequestContext, report: FinishReport) -> Verdict:
        """It is done, or it failed. The same attempt told again gets the same answer."""
        return cast(Verdict, self._call(ctxt, 'finish', report=report))

    def heartbeat(self, ctxt: RequestContext, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """I am alive and hold these operations."""
        return cast(HeartbeatAnswer, self._call(ctxt, 'heartbeat', heartbeat=heartbeat))

    def cleaned(self, ctxt: RequestContext, host: str, epoch: int, server_ids: tuple[str, ...]) -> None:
        """Nothing of these servers is left on the host: their residues and stranded allocations may go."""
        self._call(ctxt, 'cleaned', host=host, epoch=epoch, server_ids=server_ids)

    def power_states(
        self, ctxt: RequestContext, host: str, epoch: int, reports: tuple[PowerReport, ...]
    ) -> tuple[WantedGuest, ...]:
        """What the guests do. The answer names those that should do something else, and what."""
        return cast(tuple[WantedGuest, ...], self._call(ctxt, 'power_states', host=host, epoch=epoch, reports=reports))
