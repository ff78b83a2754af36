"""Operations: what is accepted, what is claimed, what agents are told to do, and what they answer.

The protocol of these records is doc/reference/protocol.md.
"""

from typing import Any

from cloudplane.objects.base import Record
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostInventory
from cloudplane.objects.server import Address


class Idempotency(Record, frozen=True, kw_only=True):
    """The client's Idempotency-Key, and the hash of method, path, query, body and microversion."""

    key: str
    request_hash: str


class NewServer(Record, frozen=True, kw_only=True):
    """One server of a create request. The API makes the ids, so that a repeated call gets the first answer."""

    server_id: str
    operation_id: str
    name: str
    hostname: str
    launch_index: int = 0


class CreateRequest(Record, frozen=True, kw_only=True):
    """N equal servers: one accept, one wake-up, one decision, one claim message."""

    servers: tuple[NewServer, ...]
    project_id: str
    user_id: str
    flavor_id: str
    image_id: str | None
    image_min_disk_gb: int = 0
    image_min_memory_mb: int = 0
    image_properties: dict[str, str] = {}
    key_name: str | None = None
    user_data: str | None = None  # base64
    metadata: dict[str, str] = {}
    config_drive: bool = False
    disk_config: str = 'MANUAL'
    access_ip_v4: str = ''
    access_ip_v6: str = ''
    availability_zone: str | None = None
    networks: str = 'auto'  # auto | none
    admin_pass: str | None = None
    reservation_id: str = ''
    scheduler_hints: dict[str, Any] = {}
    idempotency: Idempotency | None = None


class OperationRequest(Record, frozen=True, kw_only=True):
    """Anything but a create, for one server."""

    operation_id: str
    server_id: str
    kind: str
    project_id: str | None  # None: an admin, for any project
    user_id: str
    image_id: str | None = None  # snapshot: the image to be made
    image_name: str | None = None
    idempotency: Idempotency | None = None


class BuildSpec(Record, frozen=True, kw_only=True):
    """What the scheduler needs to place one server of a request."""

    operation_id: str
    server_id: str
    attempt: int  # the operation's, so that a stale claim is refused
    project_id: str
    flavor: Flavor
    image_properties: dict[str, str] = {}
    availability_zone: str | None = None
    excluded_hosts: tuple[int, ...] = ()
    scheduler_hints: dict[str, Any] = {}


class WorkOrder(Record, frozen=True, kw_only=True):
    """One operation for one agent, complete: the agent needs no reads."""

    operation_id: str
    request_id: str
    server_id: str
    kind: str
    sequence: int
    attempt: int
    host: str
    remaining_s: float  # until the operation's deadline
    guest: 'GuestSpec | None' = None  # build
    image_id: str | None = None  # snapshot
    image_name: str | None = None
    vm_state: str = ''  # the server's when the operation was accepted


class GuestSpec(Record, frozen=True, kw_only=True):
    """The guest that a build makes. Memory in MiB, disk in GiB."""

    server_id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    flavor: Flavor
    image_id: str | None
    key_name: str | None = None
    public_key: str | None = None
    user_data: str | None = None  # base64
    metadata: dict[str, str] = {}
    config_drive: bool = True
    networks: str = 'auto'
    admin_pass: str | None = None
    availability_zone: str = ''
    reservation_id: str = ''
    launch_index: int = 0


class Accepted(Record, frozen=True, kw_only=True):
    """The answer to an accept. `replayed`: this request had been accepted before; nothing new was done."""

    operation_ids: tuple[str, ...]
    server_ids: tuple[str, ...] = ()
    replayed: bool = False
    done: bool = False  # ended inside the accept transaction: there is nobody to wake
    builds: tuple[BuildSpec, ...] = ()  # for the scheduler
    work: WorkOrder | None = None  # for the agent
    admin_pass: str | None = None
    reservation_id: str = ''
    image_id: str | None = None


class Selection(Record, frozen=True, kw_only=True):
    """Where a server should go: the host, then the alternates in order. Empty: nowhere."""

    operation_id: str
    server_id: str
    attempt: int
    hosts: tuple[int, ...]
    decision: 'Decision'
    # No host, and the only reason is that hosts are down: worth another try until the deadline.
    transient: bool = False


class FilterCount(Record, frozen=True, kw_only=True):
    """How many hosts one filter dropped, why in words, and the one that came nearest."""

    name: str
    dropped: int
    reason: str
    nearest: str = ''


class Decision(Record, frozen=True, kw_only=True):
    """Why a server went where it went, or why it went nowhere."""

    hosts: int  # how many the scheduler saw
    filters: tuple[FilterCount, ...] = ()
    chosen: str | None = None
    weights: tuple[tuple[str, float], ...] = ()  # of the best hosts, best first
    refused_by_claim: tuple[str, ...] = ()
    summary: str = ''  # one sentence: what the fault of a failed server quotes


class BeginRequest(Record, frozen=True, kw_only=True):
    """Sent by an agent before it touches its host."""

    operation_id: str
    server_id: str
    host: str
    epoch: int
    attempt: int


class Verdict(Record, frozen=True, kw_only=True):
    """The conductor's answer to begin and finish. Refused: converge to `wanted`, and forget."""

    accepted: bool
    wanted: str = 'leave'
    reason: str = ''


class StepRecord(Record, frozen=True, kw_only=True):
    """One step of an operation, for os-instance-actions. Times are UTC, `YYYY-MM-DDTHH:MM:SS.ffffff`."""

    name: str
    started_at: str
    finished_at: str | None = None
    result: str = 'Success'
    details: str | None = None


class FinishReport(Record, frozen=True, kw_only=True):
    """How an operation ended on its host; repeated until it is answered."""

    operation_id: str
    server_id: str
    host: str
    epoch: int
    attempt: int
    succeeded: bool
    power_state: int = 0
    addresses: tuple[Address, ...] | None = None  # None: as they were
    message: str = ''  # failure: what, where, what to do
    details: str | None = None  # failure: a traceback, for admins
    retryable: bool = False  # build: another host may do it
    clean: bool = False  # build: nothing of the guest is left here
    guest_unknown: bool = False  # the guest's condition is unknown: the server goes to ERROR
    steps: tuple[StepRecord, ...] = ()


class HeldOperation(Record, frozen=True, kw_only=True):
    """An operation that an agent holds, as its heartbeat says."""

    operation_id: str
    server_id: str
    attempt: int
    running: bool  # begun; else waiting for its turn
    step: str = ''


class Heartbeat(Record, frozen=True, kw_only=True):
    """An agent is alive and holds these operations; renews their leases."""

    host: str
    epoch: int
    held: tuple[HeldOperation, ...] = ()
    inventory: HostInventory | None = None  # when it changed


class Refusal(Record, frozen=True, kw_only=True):
    """An operation that an agent holds and must not finish."""

    operation_id: str
    server_id: str
    attempt: int
    wanted: str
    reason: str


class Residue(Record, frozen=True, kw_only=True):
    """A guest that may lie on a host from which its server has gone: destroy what is not newer than `sequence`."""

    server_id: str
    sequence: int


class HeartbeatAnswer(Record, frozen=True, kw_only=True):
    """`registered` False: register again before anything else."""

    registered: bool
    refusals: tuple[Refusal, ...] = ()
    residues: tuple[Residue, ...] = ()


class WantedGuest(Record, frozen=True, kw_only=True):
    """What a host should make of one server."""

    server_id: str
    sequence: int
    wanted: str
    vm_state: str


class RegisterAnswer(Record, frozen=True, kw_only=True):
    """All that an agent must know before it touches a guest."""

    epoch: int
    residues: tuple[Residue, ...] = ()
    guests: tuple[WantedGuest, ...] = ()
    work: tuple[WorkOrder, ...] = ()  # operations of this host that have not ended


class PowerReport(Record, frozen=True, kw_only=True):
    """The power state of one guest, as its host shows it."""

    server_id: str
    power_state: int
    sequence: int  # of the newest operation that the agent knows of this server: an older look is worth nothing


class OperationRecord(Record, frozen=True, kw_only=True):
    """An operation as os-instance-actions shows it."""

    id: str
    server_id: str
    kind: str
    action: str
    state: str
    sequence: int
    attempt: int
    request_id: str
    project_id: str
    user_id: str
    host: str | None = None
    message: str | None = None
    started_at: str
    finished_at: str | None = None
    steps: tuple['EventRecord', ...] = ()


class EventRecord(Record, frozen=True, kw_only=True):
    """A step of an operation that was kept."""

    name: str
    host: str | None = None
    attempt: int
    started_at: str
    finished_at: str | None = None
    result: str | None = None
    details: str | None = None


class Difference(Record, frozen=True, kw_only=True):
    """One thing that the audit found to disagree."""

    subject: str  # what: usage, allocation, server, operation, residue
    id: str
    expected: str
    found: str
    repaired: bool = False
