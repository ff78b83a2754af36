"""A conductor on a real database, with recording doubles in place of the bus, and a small language for its protocol.

Time never passes by waiting: `due`, `expire`, `silence` and `grace_over` write the rows' times back. Operations are
named by the server that they belong to (`bench.operation(server)` is its newest one).
"""

import itertools
import uuid
from pathlib import Path
from typing import Any, cast

from oslo_messaging.rpc.dispatcher import ExpectedException
from sqlalchemy import event

from cloudplane import states
from cloudplane.concurrency import BlockingPool
from cloudplane.conductor.db import flavors, models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.session import Database, DatabaseSettings
from cloudplane.conductor.parts import ConductorParts
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.context import RequestContext
from cloudplane.images.folder import FolderStore
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import (
    Accepted,
    BeginRequest,
    CreateRequest,
    Decision,
    FinishReport,
    Heartbeat,
    HeartbeatAnswer,
    HeldOperation,
    Idempotency,
    NewServer,
    OperationRequest,
    Selection,
    Verdict,
)
from tests.doubles.rpcapi import RecordingCompute, RecordingScheduler
from tests.unit.conductor.rows import Host, Rows
from tests.unit.conductor.samples import FLAVOR, SETTINGS, inventory
from tests.unit.images.doubles import TrustingInspector


class Bench(Rows):
    """One conductor, its database, and what it has sent."""

    def __init__(self, connection: str, folder: Path, settings: ConductorSettings = SETTINGS) -> None:
        self.connection, self.folder, self.settings = connection, folder, settings
        super().__init__(Database(DatabaseSettings(connection=connection)))
        if self.database.dialect == 'sqlite':
            event.listen(self.database.engine, 'connect', _without_flushes)
        self.scheduler, self.compute = RecordingScheduler(), RecordingCompute()
        self._blocking = BlockingPool('images', 1)
        self.images = FolderStore(folder / 'images', pool=self._blocking, inspector=TrustingInspector())
        self.conductor = self.new_conductor()
        self.tampered = False  # a test that plants differences says so: else the audit must find none at its end
        self._numbers = itertools.count(1)

    def new_conductor(
        self, settings: ConductorSettings | None = None, database: Database | None = None
    ) -> ConductorParts:
        """Another conductor on the same database, as after a death or on another machine."""
        return ConductorParts(
            database=database or self.database,
            settings=settings or self.settings,
            key_file=self.folder / 'key',
            scheduler=self.scheduler,
            compute=self.compute,
            images=self.images,
        )

    def restart(self, settings: ConductorSettings | None = None) -> None:
        """The conductor has died, and another one is there."""
        self.conductor = self.new_conductor(settings)

    def close(self) -> None:
        """Give the connections back."""
        self.conductor.claimer.stop()
        self.database.close()
        self._blocking.close()

    # Given

    def flavor(self, flavor: Flavor = FLAVOR) -> Flavor:
        """A flavor that is there."""
        return self.database.write(lambda conn: flavors.create(conn, flavor))

    def host(self, name: str = 'h1', *, vcpus: int = 8, memory_mb: int = 8192, disk_gb: int = 100) -> Host:
        """A host whose agent has registered."""
        self.register(name, vcpus=vcpus, memory_mb=memory_mb, disk_gb=disk_gb)
        return self.named(name)

    def register(self, name: str, *, vcpus: int = 8, memory_mb: int = 8192, disk_gb: int = 100) -> Any:
        """An agent starts; the conductor's answer."""
        return self.conductor.agents.register(inventory(name, vcpus, memory_mb, disk_gb))

    def context(self, project_id: str = 'p1') -> RequestContext:
        """A request of a project."""
        request_id = f'req-{uuid.uuid4()}'
        return RequestContext(project_id=project_id, user_id='u1', request_id=request_id, overwrite=False)

    # Accept

    def create_request(
        self, count: int = 1, *, project_id: str = 'p1', key: str | None = None, **fields: Any
    ) -> CreateRequest:
        """A create request with fresh ids."""
        new = tuple(
            NewServer(server_id=str(uuid.uuid4()), operation_id=str(uuid.uuid4()), name=name, hostname=name)
            for name in (f's{next(self._numbers)}' for _ in range(count))
        )
        wanted: dict[str, Any] = {'flavor_id': FLAVOR.id, 'image_id': str(uuid.UUID(int=1)), 'user_id': 'u1'}
        idempotency = Idempotency(key=key, request_hash='create') if key else None
        return CreateRequest(servers=new, project_id=project_id, idempotency=idempotency, **{**wanted, **fields})

    def accept(self, request: CreateRequest) -> Accepted:
        """The conductor's answer to a create request."""
        return cast(Accepted, self.call('accept_create', request=request, ctxt=self.context(request.project_id)))

    def create(self, **fields: Any) -> str:
        """A server whose build is queued."""
        return self.accept(self.create_request(**fields)).server_ids[0]

    def request(self, kind: str, server_id: str, *, project_id: str | None = 'p1', **fields: Any) -> OperationRequest:
        """A request for anything but a create, with a fresh id."""
        return OperationRequest(
            operation_id=str(uuid.uuid4()),
            server_id=server_id,
            kind=kind,
            project_id=project_id,
            user_id='u1',
            **fields,
        )

    def ask(self, kind: str, server_id: str, **fields: Any) -> Accepted:
        """The conductor's answer to such a request."""
        return self.send(self.request(kind, server_id, **fields))

    def send(self, request: OperationRequest) -> Accepted:
        """The conductor's answer to a request that was made before."""
        return cast(Accepted, self.call('accept_operation', request=request))

    def call(self, method: str, *, ctxt: RequestContext | None = None, **arguments: Any) -> Any:
        """What an end-point answers, or raises, as its client sees it."""
        try:
            return getattr(self.conductor.manager, method)(ctxt or self.context(), **arguments)
        except ExpectedException as expected:
            raise expected.exc_info[1] from None

    # A scheduler's part

    def claim(self, server_id: str, *hosts: Host, attempt: int | None = None, **fields: Any) -> None:
        """A scheduler has chosen: the host, then its alternates; none at all: it found no host."""
        self.conductor.claimer.claim([self.selection(server_id, *hosts, attempt=attempt, **fields)])

    def selection(self, server_id: str, *hosts: Host, attempt: int | None = None, **fields: Any) -> Selection:
        """What a scheduler says about one server."""
        operation = self.operation(server_id)
        return Selection(
            operation_id=operation.id,
            server_id=server_id,
            attempt=operation.attempt if attempt is None else attempt,
            hosts=tuple(host.id for host in hosts),
            decision=Decision(hosts=len(hosts), summary=fields.pop('summary', 'No valid host: none is there')),
            **fields,
        )

    # An agent's part

    def begin(self, server_id: str, host: Host, **changes: Any) -> Verdict:
        """An agent asks whether it may touch its host, as its newest order says."""
        return self.conductor.executor.begin(self.begin_request(server_id, host, **changes))

    def begin_request(self, server_id: str, host: Host, **changes: Any) -> BeginRequest:
        """How an agent asks that."""
        return BeginRequest(**self._as_ordered(server_id, host) | changes)

    def finish(self, server_id: str, host: Host, succeeded: bool = True, **changes: Any) -> Verdict:
        """An agent has ended the newest operation."""
        return self.conductor.executor.finish(self.report(server_id, host, succeeded, **changes))

    def report(self, server_id: str, host: Host, succeeded: bool = True, **changes: Any) -> FinishReport:
        """How an agent tells that it has ended the newest operation."""
        fields = {**self._as_ordered(server_id, host), 'succeeded': succeeded, 'power_state': states.RUNNING}
        if not succeeded:
            fields['message'] = 'it broke'
        return FinishReport(**fields | changes)

    def _as_ordered(self, server_id: str, host: Host) -> dict[str, Any]:
        operation = self.operation(server_id)
        return {
            'operation_id': operation.id,
            'server_id': server_id,
            'host': host.name,
            'epoch': host.epoch,
            'attempt': operation.attempt,
        }

    def heartbeat(self, host: Host, *held: str, running: bool = True, step: str = '', **fields: Any) -> HeartbeatAnswer:
        """An agent is alive, and holds the newest operations of these servers."""
        return self.beat(host, *(self.held(server_id, running, step) for server_id in held), **fields)

    def beat(self, host: Host, *held: HeldOperation, **fields: Any) -> HeartbeatAnswer:
        """An agent is alive, and holds these."""
        return self.conductor.agents.heartbeat(Heartbeat(host=host.name, epoch=host.epoch, held=held, **fields))

    def held(self, server_id: str, running: bool = True, step: str = '') -> HeldOperation:
        """The newest operation of a server, as its agent holds it now."""
        row = self.operation(server_id)
        return HeldOperation(operation_id=row.id, server_id=server_id, attempt=row.attempt, running=running, step=step)

    def cleaned(self, host: Host, *server_ids: str) -> None:
        """An agent says that nothing of these servers is left."""
        self.conductor.agents.cleaned(host.name, host.epoch, server_ids)

    # Whole ways

    def scheduled(self, host: Host, **fields: Any) -> str:
        """A server whose build has a host, and has not begun."""
        server_id = self.create(**fields)
        self.claim(server_id, host)
        return server_id

    def building(self, host: Host, **fields: Any) -> str:
        """A server whose build runs."""
        server_id = self.scheduled(host, **fields)
        assert self.begin(server_id, host).accepted
        return server_id

    def active(self, host: Host, **fields: Any) -> str:
        """A server that is ACTIVE."""
        server_id = self.building(host, **fields)
        assert self.finish(server_id, host).accepted
        return server_id

    def stopped(self, host: Host, **fields: Any) -> str:
        """A server that is SHUTOFF."""
        server_id = self.active(host, **fields)
        self.running(states.STOP, server_id, host)
        assert self.finish(server_id, host, power_state=states.SHUTDOWN).accepted
        return server_id

    def running(self, kind: str, server_id: str, host: Host) -> str:
        """An operation that has been accepted and begun; its id."""
        answer = self.ask(kind, server_id)
        assert self.begin(server_id, host).accepted
        return answer.operation_ids[0]

    # Time

    def look(self) -> None:
        """The reconciler looks, with nothing to excuse what stands still."""
        self.grace_over()
        self.conductor.reconciler.look()

    def grace_over(self) -> None:
        """Somebody has looked a moment ago, and no grace runs."""
        values = {'last_tick_at': utc_now(), 'grace_until': utc_now(-1), 'gap_s': 0.0}
        if self.change(models.Tick, {'id': 1}, values) == 0:
            self.add(models.Tick, id=1, **values)

    def due(self, server_id: str) -> None:
        """The time to look at the newest operation has come."""
        self.change(models.Operation, {'id': self.operation(server_id).id}, {'next_run_at': utc_now(-1)})

    def expire(self, server_id: str) -> None:
        """The deadline of the newest operation is over."""
        values = {'next_run_at': utc_now(-1), 'deadline_at': utc_now(-1)}
        self.change(models.Operation, {'id': self.operation(server_id).id}, values)

    def silence(self, host: Host, seconds: float = 36.0) -> None:
        """Nothing has been heard of a host for so long."""
        values = {'last_seen_at': utc_now(-seconds)}
        self.change(models.Heartbeat, {'service_id': self.host_row(host.name).service_id}, values)

    def fall_silent(self, host: Host) -> None:
        """A host goes down, while enough others live for it to be its own fault."""
        self.silence(host)
        for number in range(2):
            self.host(f'alive{number}')
        self.look()
        assert not self.host_row(host.name).up


def _without_flushes(connection: Any, _record: object) -> None:
    connection.execute('PRAGMA synchronous = OFF')  # no test cuts the power
