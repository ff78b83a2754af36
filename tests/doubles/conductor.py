"""A conductor in memory, for tests of those that ask it.

It accepts by the real state table, knows quotas and Idempotency-Keys, and never works by itself: a test says with
`boot`, `end_well` and `fail` what the host has done. What only schedulers and agents ask for, it does not answer.
"""

from typing import Any

from cloudplane import states
from cloudplane.context import RequestContext
from cloudplane.exceptions import (
    IdempotencyMismatch,
    InvalidState,
    NotFound,
    QuotaExceeded,
    ServerBusy,
)
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import (
    Accepted,
    BuildSpec,
    CreateRequest,
    EventRecord,
    Idempotency,
    NewServer,
    OperationRecord,
    OperationRequest,
    WorkOrder,
)
from cloudplane.objects.server import Address, Fault, Server, ServerQuery
from tests.doubles.catalog import FakeCatalog
from tests.doubles.server_table import ServerTable


class FakeConductor(FakeCatalog):
    """See the module."""

    def __init__(self, *, quota_instances: int = 100) -> None:
        super().__init__()
        self.servers = ServerTable()
        self.operations: list[OperationRecord] = []
        self.quota_instances = quota_instances
        self.requests: list[CreateRequest | OperationRequest] = []
        self._kept: dict[tuple[str | None, str], tuple[str, Accepted]] = {}

    # What a host does

    def boot(self, server_id: str, *, host: str = 'host1') -> Server:
        """A build has ended well."""
        address = Address(network='default', address='192.0.2.10', mac='52:54:00:00:00:01')
        launched = self.servers.rows[server_id].evolve(
            host=host, hypervisor_hostname=f'{host}.example', addresses=(address,), launched_at=self.clock.now()
        )
        self.servers.put(launched)
        return self.end_well(server_id)

    def end_well(self, server_id: str) -> Server:
        """The operation that runs has ended well."""
        server = self.servers.rows[server_id]
        running = self._running(server)
        done = states.MOVES[running.kind].done or server.vm_state
        power_state = states.RUNNING if done == states.ACTIVE else states.SHUTDOWN
        return self._end(server, running, states.DONE, vm_state=done, power_state=power_state)

    def fail(self, server_id: str, message: str, details: str | None = None) -> Server:
        """The operation that runs has failed, and nobody knows what the guest is like."""
        server = self.servers.rows[server_id]
        fault = Fault(code=500, message=message, details=details, created_at=self.clock.now())
        return self._end(server, self._running(server), states.FAILED, vm_state=states.ERROR, fault=fault)

    def _running(self, server: Server) -> OperationRecord:
        return next(each for each in self.operations if each.id == server.operation_id)

    def _end(self, server: Server, running: OperationRecord, state: str, **changes: Any) -> Server:
        step = EventRecord(
            name=f'compute_{running.kind}',
            attempt=running.attempt,
            started_at=running.started_at,
            finished_at=self.clock.now(),
            result='Success' if state == states.DONE else 'Error',
            details=None if state == states.DONE else 'Traceback of the agent',
        )
        ended = running.evolve(state=state, finished_at=step.finished_at, steps=(step,))
        self.operations[self.operations.index(running)] = ended
        return self.servers.put(
            server.evolve(task_state=None, operation_id=None, updated_at=step.finished_at, **changes)
        )

    # Accept

    def accept_create(self, ctxt: RequestContext, request: CreateRequest) -> Accepted:
        self._note('accept_create')
        self.requests.append(request)
        kept = self._replay(request.project_id, request.idempotency)
        if kept is not None:
            return kept
        flavor = self.flavor_get(ctxt, request.flavor_id)
        if request.key_name is not None:
            self.keypair_get(ctxt, request.user_id, request.key_name)
        if len(self.servers.rows) + len(request.servers) > self.quota_instances:
            raise QuotaExceeded(f'Quota exceeded for instances: {self.quota_instances} are allowed')
        for new in request.servers:
            self._add_server(ctxt, request, flavor, new)
        answer = Accepted(
            operation_ids=tuple(new.operation_id for new in request.servers),
            server_ids=tuple(new.server_id for new in request.servers),
            builds=tuple(_build_spec(request, flavor, new) for new in request.servers),
            admin_pass=request.admin_pass,
            reservation_id=request.reservation_id,
        )
        return self._keep(request.project_id, request.idempotency, answer)

    def accept_operation(self, ctxt: RequestContext, request: OperationRequest) -> Accepted:
        self._note('accept_operation')
        self.requests.append(request)
        kept = self._replay(request.project_id, request.idempotency)
        if kept is not None:
            return kept
        server = self.servers.get(request.server_id, request.project_id)
        move = states.MOVES[request.kind]
        _check_legal(move, server)
        operation = self._operation(ctxt, server, move, request.operation_id)
        self.servers.put(server.evolve(task_state=move.accepted_task, operation_id=operation.id))
        answer = Accepted(operation_ids=(operation.id,), server_ids=(server.id,), image_id=request.image_id)
        if server.host is None:
            self.end_well(server.id)
            return answer.evolve(done=True)
        return self._keep(request.project_id, request.idempotency, answer.evolve(work=_order(operation, server)))

    def _add_server(self, ctxt: RequestContext, request: CreateRequest, flavor: Flavor, new: NewServer) -> None:
        same = (
            *('project_id', 'user_id', 'image_id', 'key_name', 'user_data', 'metadata', 'config_drive'),
            *('disk_config', 'access_ip_v4', 'access_ip_v6', 'availability_zone', 'reservation_id'),
        )
        server = Server(
            id=new.server_id,
            name=new.name,
            hostname=new.hostname,
            launch_index=new.launch_index,
            vm_state=states.BUILDING,
            task_state=states.MOVES[states.BUILD].accepted_task,
            flavor=flavor,
            operation_id=new.operation_id,
            created_at=self.clock.now(),
            **{name: getattr(request, name) for name in same},
        )
        self._operation(ctxt, self.servers.put(server), states.MOVES[states.BUILD], new.operation_id)

    def _operation(self, ctxt: RequestContext, server: Server, move: states.Move, operation_id: str) -> OperationRecord:
        operation = OperationRecord(
            id=operation_id,
            server_id=server.id,
            kind=move.kind,
            action=move.action,
            state=states.QUEUED,
            sequence=1,
            attempt=1,
            request_id=ctxt.request_id,
            project_id=server.project_id,
            user_id=ctxt.user_id or '',
            started_at=self.clock.now(),
        )
        self.operations.append(operation)
        return operation

    def _replay(self, project_id: str | None, key: Idempotency | None) -> Accepted | None:
        kept = self._kept.get((project_id, key.key)) if key else None
        if kept is None or key is None:
            return None
        if kept[0] != key.request_hash:
            raise IdempotencyMismatch
        return kept[1].evolve(replayed=True, builds=(), work=None)

    def _keep(self, project_id: str | None, key: Idempotency | None, answer: Accepted) -> Accepted:
        if key is not None:
            self._kept[project_id, key.key] = key.request_hash, answer
        return answer

    # Reads

    def server_get(self, ctxt: RequestContext, server_id: str, project_id: str | None) -> Server:
        self._note('server_get')
        return self.servers.get(server_id, project_id)

    def server_list(self, ctxt: RequestContext, query: ServerQuery) -> tuple[Server, ...]:
        self._note('server_list')
        return self.servers.page(query)

    def server_rename(self, ctxt: RequestContext, server_id: str, project_id: str | None, name: str) -> Server:
        self._note('server_rename')
        return self.servers.put(self.servers.get(server_id, project_id).evolve(name=name))

    def operation_list(
        self, ctxt: RequestContext, server_id: str, project_id: str | None
    ) -> tuple[OperationRecord, ...]:
        self._note('operation_list')
        self.servers.get(server_id, project_id)
        return tuple(each.evolve(steps=()) for each in reversed(self.operations) if each.server_id == server_id)

    def operation_get(
        self, ctxt: RequestContext, server_id: str, project_id: str | None, request_id: str
    ) -> OperationRecord:
        self._note('operation_get')
        self.servers.get(server_id, project_id)
        for each in self.operations:
            if (each.server_id, each.request_id) == (server_id, request_id):
                return each
        raise NotFound(f'Action for request_id {request_id} on instance {server_id} not found')


def _build_spec(request: CreateRequest, flavor: Flavor, new: NewServer) -> BuildSpec:
    return BuildSpec(
        operation_id=new.operation_id,
        server_id=new.server_id,
        attempt=1,
        project_id=request.project_id,
        flavor=flavor,
    )


def _order(operation: OperationRecord, server: Server) -> WorkOrder:
    return WorkOrder(
        operation_id=operation.id,
        request_id=operation.request_id,
        server_id=server.id,
        kind=operation.kind,
        sequence=operation.sequence,
        attempt=operation.attempt,
        host=server.host or '',
        remaining_s=60,
    )


def _check_legal(move: states.Move, server: Server) -> None:
    what = f"Cannot '{move.action}' instance {server.id} while it is in"
    replaces = move.supersedes is None or (server.task_state or '') in move.supersedes
    if server.operation_id is not None and not replaces:
        raise ServerBusy(f'{what} task_state {server.task_state}: operation {server.operation_id} is running')
    if move.legal_from is not None and server.vm_state not in move.legal_from:
        raise InvalidState(f'{what} vm_state {server.vm_state}')
