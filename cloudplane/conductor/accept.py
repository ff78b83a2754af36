"""Accept: one transaction that checks quota, state and precondition, and writes the operation. Only then is it a 202.

Lock order: idempotency key, project usage, server, operation, host, allocation. The ids are made by the API, so that a
call which is repeated after a lost answer gets the first answer.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor import legality
from cloudplane.conductor.db import accepts, flavors, idempotency, keypairs, operations, servers, usage
from cloudplane.conductor.db.operations import Params
from cloudplane.conductor.db.servers import Options
from cloudplane.conductor.db.session import Connection, Database, Raced
from cloudplane.conductor.db.usage import Amounts
from cloudplane.conductor.effects import Effects
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.conductor.vault import Vault
from cloudplane.context import RequestContext
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import (
    Accepted,
    BuildSpec,
    CreateRequest,
    Idempotency,
    NewServer,
    OperationRequest,
)

ACCEPT = faultpoints.declare('conductor.accept.commit', reports=True)


class Acceptor:
    """Accepts what clients ask for, or says why not."""

    def __init__(
        self, database: Database, settings: ConductorSettings, handlers: Handlers, orders: Orders, vault: Vault
    ) -> None:
        self._database, self._settings = database, settings
        self._handlers, self._orders, self._vault = handlers, orders, vault
        self.active_operations = 0  # as the reconciler last counted them

    def create(self, ctxt: RequestContext, request: CreateRequest) -> Accepted:
        """Accept N equal servers, all or none."""
        self._refuse_overload()
        if len(request.metadata) > self._settings.quota_metadata_items >= 0:
            raise exceptions.QuotaExceeded(
                f'Maximum number of metadata items exceeds {self._settings.quota_metadata_items}'
            )
        with ACCEPT:
            return self._database.write(
                lambda conn: self._once(
                    conn, request.project_id, request.idempotency, lambda: self._create(conn, ctxt, request)
                )
            )

    def operation(self, ctxt: RequestContext, request: OperationRequest) -> tuple[Accepted, Effects]:
        """Accept anything else for one server."""
        if request.kind != states.DELETE:  # what frees capacity is never turned away
            self._refuse_overload()
        effects = Effects()

        def accept(conn: Connection) -> Accepted:
            nonlocal effects
            effects = Effects()
            project_id = request.project_id or ctxt.project_id or ''
            return self._once(
                conn, project_id, request.idempotency, lambda: self._operation(conn, ctxt, request, effects)
            )

        with ACCEPT:
            return self._database.write(accept), effects

    def _refuse_overload(self) -> None:
        if self.active_operations >= self._settings.max_queued_operations:
            raise exceptions.ServiceBusy(
                f'{self.active_operations} operations are waiting or running, which is the most that is kept; '
                'try again later'
            )

    def _once(
        self, conn: Connection, project_id: str, key: Idempotency | None, accept: Callable[[], Accepted]
    ) -> Accepted:
        """Accept, or give the answer that the same Idempotency-Key got before."""
        if key is None:
            return accept()
        kept = idempotency.claim(conn, project_id, key, self._settings.idempotency_s)
        if kept is not None:
            answer = msgspec.json.decode(self._vault.open(kept), type=Accepted)
            return answer.evolve(replayed=True, builds=(), work=None)
        answer = accept()
        without_orders = answer.evolve(builds=(), work=None)
        idempotency.keep(conn, project_id, key, self._vault.seal(msgspec.json.encode(without_orders).decode()))
        return answer

    # Create

    def _create(self, conn: Connection, ctxt: RequestContext, request: CreateRequest) -> Accepted:
        repeated = accepts.known_servers(conn, [new.server_id for new in request.servers])
        answer = Accepted(
            operation_ids=tuple(new.operation_id for new in request.servers),
            server_ids=tuple(new.server_id for new in request.servers),
            admin_pass=request.admin_pass,
            reservation_id=request.reservation_id,
            replayed=repeated,
        )
        if repeated:
            return answer
        flavor = flavors.get(conn, request.flavor_id)
        _check_fits(flavor, request)
        params = self._params(conn, request)
        count = len(request.servers)
        taken = Amounts(instances=count, cores=count * flavor.vcpus, ram_mb=count * flavor.memory_mb)
        usage.take(conn, request.project_id, taken, self._settings.quota)
        if not servers.add(conn, [_server_row(new, request, flavor) for new in request.servers]):
            raise Raced  # the same call, repeated, was faster: the next round gives its answer
        deadline_s = self._settings.deadline_s(states.BUILD)
        operations.add(
            conn,
            [
                accepts.operation_row(
                    operation_id=new.operation_id,
                    server_id=new.server_id,
                    kind=states.BUILD,
                    state=states.next_state(None, states.EVENT_ACCEPT),
                    sequence=1,
                    host_id=None,
                    ctxt=ctxt,
                    project_id=request.project_id,
                    user_id=request.user_id,
                    params=params,
                    vm_state=states.BUILDING,
                    wake_up_s=self._settings.wake_up_after_s(0),
                    deadline_s=deadline_s,
                )
                for new in request.servers
            ],
        )
        return answer.evolve(builds=tuple(_build_spec(new, request, flavor) for new in request.servers))

    def _params(self, conn: Connection, request: CreateRequest) -> Params:
        public_key = None
        if request.key_name is not None:
            public_key = keypairs.get(conn, request.user_id, request.key_name).public_key
        return Params(
            public_key=public_key,
            networks=request.networks,
            admin_pass=self._vault.seal(request.admin_pass) if request.admin_pass else None,
            image_properties=request.image_properties,
            scheduler_hints=request.scheduler_hints,
        )

    # Anything else

    def _operation(
        self, conn: Connection, ctxt: RequestContext, request: OperationRequest, effects: Effects
    ) -> Accepted:
        repeated = operations.get(conn, request.operation_id)
        if repeated is not None:
            return Accepted(
                operation_ids=(repeated.id,),
                server_ids=(repeated.server_id,),
                replayed=True,
                done=repeated.state == states.DONE,
                image_id=repeated.params.image_id,
            )
        move = legality.move_of(request.kind)
        servers.lock(conn, request.server_id)
        server = accepts.server(conn, request.server_id, request.project_id)
        if request.kind == states.DELETE and server.kind == states.DELETE and server.operation_id is not None:
            return Accepted(operation_ids=(server.operation_id,), server_ids=(server.id,), replayed=True)  # joins it
        legality.check(move, server)
        sequence = server.sequence + 1
        values = {'operation_id': request.operation_id, 'task_state': move.accepted_task, 'sequence': sequence}
        if not servers.change(conn, server.id, server.operation_id, values):
            raise Raced
        if server.operation_id is not None:
            _supersede(conn, server.operation_id)
        row = accepts.operation_row(
            operation_id=request.operation_id,
            server_id=server.id,
            kind=request.kind,
            state=states.next_state(None, states.EVENT_ACCEPT_ON_HOST),
            sequence=sequence,
            host_id=server.host_id,
            ctxt=ctxt,
            project_id=server.project_id,
            user_id=request.user_id,
            params=Params(image_id=request.image_id, image_name=request.image_name),
            vm_state=server.vm_state,
            wake_up_s=self._settings.wake_up_after_s(0),
            deadline_s=self._settings.deadline_s(request.kind),
        )
        operations.add(conn, [row])
        answer = Accepted(operation_ids=(request.operation_id,), server_ids=(server.id,), image_id=request.image_id)
        return self._started(conn, server, answer, effects)

    def _started(self, conn: Connection, server: accepts.Target, answer: Accepted, effects: Effects) -> Accepted:
        """End a delete that has nobody to wait for; else add the work order."""
        operation = operations.get(conn, answer.operation_ids[0])
        assert operation is not None  # it was inserted in this transaction
        if operation.kind == states.DELETE:
            if server.untouched:
                effects.add(self._handlers.delete.vanish(conn, operation))
                return answer.evolve(done=True)
            if not operation.host_up:
                gone = self._handlers.of(states.DELETE).lose_host(conn, operation)
                effects.add(gone or Effects())
                return answer.evolve(done=True)
        assert operation.host is not None  # only a server that was never placed has none, and it can only be deleted
        return answer.evolve(work=self._orders.work_order(operation, host=operation.host, attempt=operation.attempt))


def _check_fits(flavor: Flavor, request: CreateRequest) -> None:
    if flavor.disabled:
        raise exceptions.FlavorNotFound(f'Flavor {flavor.id} could not be found.')
    if flavor.ephemeral_gb or flavor.swap_mb:
        raise exceptions.BadRequest(
            f'Flavor {flavor.name} has an ephemeral or a swap disk, which hosts of this release cannot make: '
            'use a flavor with a root disk alone.'
        )
    if flavor.memory_mb < request.image_min_memory_mb:
        raise exceptions.BadRequest("Flavor's memory is too small for requested image.")
    if 0 < flavor.root_gb < request.image_min_disk_gb:
        raise exceptions.BadRequest(
            f"Flavor's disk is too small for requested image. Flavor disk is {flavor.root_gb} GiB, "
            f'image needs {request.image_min_disk_gb} GiB.'
        )


def _supersede(conn: Connection, operation_id: str) -> None:
    """End what a newer operation replaces."""
    replaced = operations.get(conn, operation_id)
    assert replaced is not None  # a server's active operation is there
    operations.move(conn, replaced, states.EVENT_SUPERSEDE)


def _server_row(new: NewServer, request: CreateRequest, flavor: Flavor) -> dict[str, Any]:
    options = Options(
        config_drive=request.config_drive,
        disk_config=request.disk_config,
        access_ip_v4=request.access_ip_v4,
        access_ip_v6=request.access_ip_v6,
    )
    move = states.MOVES[states.BUILD]
    return {
        'id': new.server_id,
        'project_id': request.project_id,
        'user_id': request.user_id,
        'name': new.name,
        'hostname': new.hostname,
        'vm_state': states.BUILDING,
        'task_state': move.accepted_task,
        'power_state': states.NOSTATE,
        'sequence': 1,
        'operation_id': new.operation_id,
        'flavor_id': flavor.id,
        'flavor_json': flavors.encode(flavor),
        'vcpus': flavor.vcpus,
        'memory_mb': flavor.memory_mb,
        'disk_gb': flavor.disk_gb,
        'image_id': request.image_id,
        'key_name': request.key_name,
        'availability_zone': request.availability_zone,
        'reservation_id': request.reservation_id,
        'launch_index': new.launch_index,
        'user_data': request.user_data,
        'metadata_json': servers.encode(request.metadata),
        'addresses_json': '[]',
        'options_json': servers.encode(options),
        'deleted': False,
        'created_at': accepts.now(),
    }


def _build_spec(new: NewServer, request: CreateRequest, flavor: Flavor) -> BuildSpec:
    return BuildSpec(
        operation_id=new.operation_id,
        server_id=new.server_id,
        attempt=0,
        project_id=request.project_id,
        flavor=flavor,
        image_properties=request.image_properties,
        availability_zone=request.availability_zone,
        scheduler_hints=request.scheduler_hints,
    )
