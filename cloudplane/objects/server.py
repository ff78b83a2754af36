"""Servers, as the API shows them."""

from cloudplane.objects.base import Record
from cloudplane.objects.flavor import Flavor


class Address(Record, frozen=True, kw_only=True):
    """One address of one network interface."""

    network: str  # the label under which clients see it
    address: str
    version: int = 4
    mac: str
    type: str = 'fixed'


class Fault(Record, frozen=True, kw_only=True):
    """Why a server is in ERROR, or why its last operation failed."""

    code: int
    message: str
    details: str | None = None  # for admins alone
    created_at: str


class Server(Record, frozen=True, kw_only=True):
    """A server with all that its view needs. Times are UTC, `YYYY-MM-DDTHH:MM:SS.ffffff`."""

    id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    vm_state: str
    task_state: str | None = None
    power_state: int = 0
    flavor: Flavor
    image_id: str | None = None
    key_name: str | None = None
    user_data: str | None = None
    metadata: dict[str, str] = {}
    config_drive: bool = False
    disk_config: str = 'MANUAL'
    access_ip_v4: str = ''
    access_ip_v6: str = ''
    availability_zone: str | None = None  # of its host, or as asked for while it has none
    host: str | None = None
    hypervisor_hostname: str | None = None
    addresses: tuple[Address, ...] = ()
    reservation_id: str = ''
    launch_index: int = 0
    sequence: int = 0
    operation_id: str | None = None
    fault: Fault | None = None
    created_at: str
    updated_at: str | None = None
    launched_at: str | None = None
    terminated_at: str | None = None


class ServerQuery(Record, frozen=True, kw_only=True):
    """What a list asks for. None: do not filter."""

    project_id: str | None = None
    name_regex: str | None = None
    vm_states: tuple[str, ...] | None = None
    task_states: tuple[str, ...] | None = None  # servers in one of these, whatever their vm_state …
    not_task_states: tuple[str, ...] | None = None  # … or in none of these
    status: str | None = None
    flavor_id: str | None = None
    image_id: str | None = None
    host: str | None = None
    uuid: str | None = None
    reservation_id: str | None = None
    changes_since: str | None = None  # UTC; includes deleted ones
    deleted: bool = False
    limit: int = 1000
    marker: str | None = None
    sort_keys: tuple[str, ...] = ('created_at', 'id')
    sort_dirs: tuple[str, ...] = ('desc', 'desc')
