"""Hypervisors: the compute hosts, as operators see them."""

from typing import Any

from cloudplane.api.compute.views.service import number, state, status
from cloudplane.objects.service import HostDetail


def summary(host: HostDetail) -> dict[str, Any]:
    """As in a plain list."""
    return {
        'id': host.id,
        'hypervisor_hostname': host.hypervisor_hostname,
        'state': state(host.up),
        'status': status(host.disabled),
    }


def show(host: HostDetail) -> dict[str, Any]:
    """All of it. As in Nova, what the host keeps for itself counts as used."""
    used_memory_mb = host.used_memory_mb + host.reserved_memory_mb
    used_disk_gb = host.used_disk_gb + host.reserved_disk_gb
    free_disk_gb = host.total_disk_gb - used_disk_gb
    return {
        **summary(host),
        'cpu_info': host.cpu_info,
        'current_workload': 0,
        'disk_available_least': free_disk_gb,
        'host_ip': host.host_ip,
        'free_disk_gb': free_disk_gb,
        'free_ram_mb': host.total_memory_mb - used_memory_mb,
        'hypervisor_type': host.hypervisor_type,
        'hypervisor_version': host.hypervisor_version,
        'local_gb': host.total_disk_gb,
        'local_gb_used': used_disk_gb,
        'memory_mb': host.total_memory_mb,
        'memory_mb_used': used_memory_mb,
        'running_vms': host.running_guests,
        'service': {
            'host': host.name,
            'id': number(host.service_id),
            'disabled_reason': host.disabled_reason,
        },
        'vcpus': host.total_vcpus,
        'vcpus_used': host.used_vcpus,
    }
