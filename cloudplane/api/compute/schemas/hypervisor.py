"""Hypervisors: the compute hosts, as operators see them."""

from typing import Final

from cloudplane.api.compute.schemas.types import INTEGER, STRING, Schema, array, record

_SUMMARY: Final[dict[str, Schema]] = {
    'id': INTEGER,
    'hypervisor_hostname': STRING,
    'state': {'enum': ['up', 'down']},
    'status': {'enum': ['enabled', 'disabled']},
}
_SHOWN: Final = record(
    {
        **_SUMMARY,
        'cpu_info': STRING,
        'current_workload': INTEGER,
        'disk_available_least': INTEGER,
        'host_ip': STRING,
        'free_disk_gb': INTEGER,
        'free_ram_mb': INTEGER,
        'hypervisor_type': STRING,
        'hypervisor_version': INTEGER,
        'local_gb': INTEGER,
        'local_gb_used': INTEGER,
        'memory_mb': INTEGER,
        'memory_mb_used': INTEGER,
        'running_vms': INTEGER,
        'service': record(
            {'host': STRING, 'id': {'type': ['integer', 'string']}, 'disabled_reason': {'type': ['string', 'null']}}
        ),
        'vcpus': INTEGER,
        'vcpus_used': INTEGER,
    }
)
LIST_ANSWER: Final = record({'hypervisors': array(record(_SUMMARY))})
DETAIL_ANSWER: Final = record({'hypervisors': array(_SHOWN)})
SHOW_ANSWER: Final = record({'hypervisor': _SHOWN})
