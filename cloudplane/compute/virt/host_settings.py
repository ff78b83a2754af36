"""What an operator says of one host, whichever hypervisor it runs: the plain values that every driver is given."""

import msgspec


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One host as the scheduler should see it. Memory in MiB, disk in GiB."""

    host: str  # the name under which its agent is known; marked on its guests
    zone: str = 'nova'
    host_ip: str = '127.0.0.1'
    # Kept back for the host itself.
    reserved_vcpus: int = 0
    reserved_memory_mb: int = 512
    reserved_disk_gb: int = 0
    # How much may be promised of each, in relation to what there is.
    vcpu_ratio: float = 4.0
    memory_ratio: float = 1.0
    disk_ratio: float = 1.0
