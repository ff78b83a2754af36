"""Services and hosts, as operators see them."""

from cloudplane.objects.base import Record


class Service(Record, frozen=True, kw_only=True):
    """One daemon on one host, and whether it is alive."""

    id: str
    binary: str  # cloudplane-api, cloudplane-conductor …
    host: str
    zone: str
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    up: bool
    updated_at: str | None = None  # last heartbeat, UTC


class HostDetail(Record, frozen=True, kw_only=True):
    """One compute host with what it has and what is in use. Memory in MiB, disk in GiB."""

    id: int
    uuid: str
    name: str
    hypervisor_hostname: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    cpu_info: str
    zone: str
    up: bool
    disabled: bool
    disabled_reason: str | None = None
    forced_down: bool
    epoch: int
    service_id: str
    total_vcpus: int
    total_memory_mb: int
    total_disk_gb: int
    reserved_memory_mb: int
    reserved_disk_gb: int
    used_vcpus: int
    used_memory_mb: int
    used_disk_gb: int
    running_guests: int
