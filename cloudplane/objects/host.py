"""What an agent says of its host, and what the scheduler is told of it. Memory in MiB, disk in GiB."""

from cloudplane.objects.base import Record


class HostInventory(Record, frozen=True, kw_only=True):
    """What a host has. Sent by its agent when it registers and when it changes."""

    host: str
    hypervisor_hostname: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str = '127.0.0.1'
    cpu_info: str = '{}'  # JSON text
    architecture: str = 'x86_64'
    zone: str = 'nova'
    vcpus: int
    memory_mb: int
    disk_gb: int
    reserved_vcpus: int = 0
    reserved_memory_mb: int = 0
    reserved_disk_gb: int = 0
    vcpu_ratio: float = 4.0
    memory_ratio: float = 1.0
    disk_ratio: float = 1.0


class HostRow(Record, frozen=True, kw_only=True):
    """A host as the scheduler's table holds it: limits are totals less reserved, times the ratio, as integers."""

    id: int
    name: str
    zone: str
    generation: int
    up: bool
    disabled: bool
    forced_down: bool
    limit_vcpus: int
    limit_memory_mb: int
    limit_disk_gb: int
    used_vcpus: int
    used_memory_mb: int
    used_disk_gb: int
    hypervisor_type: str = ''
    architecture: str = ''


class HostChanges(Record, frozen=True, kw_only=True):
    """One message of the feed: whole rows, the ids of removed hosts, and the claims that have ended either way."""

    rows: tuple[HostRow, ...] = ()
    removed: tuple[int, ...] = ()
    claims_ended: tuple[str, ...] = ()  # operation ids: assumptions about them may go


class HostGeneration(Record, frozen=True, kw_only=True):
    """What is compared every 30 s, to find rows that a lost message left stale."""

    id: int
    generation: int
