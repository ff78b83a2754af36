"""Records and settings that tests of the conductor begin with."""

from typing import Any

import msgspec

from cloudplane.conductor.db.usage import Amounts
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.host import HostInventory
from cloudplane.objects.operation import Residue

FLAVOR = Flavor(id='small', name='m1.small', vcpus=1, memory_mb=512, root_gb=5)
SETTINGS = ConductorSettings()
NO_LIMIT = Amounts(instances=-1, cores=-1, ram_mb=-1)


def settings(**changes: Any) -> ConductorSettings:
    """The default settings, but for these."""
    return msgspec.structs.replace(SETTINGS, **changes)


def inventory(name: str, vcpus: int = 8, memory_mb: int = 8192, disk_gb: int = 100, **fields: Any) -> HostInventory:
    """What an agent says of its host: no ratio, nothing reserved."""
    return HostInventory(
        host=name,
        hypervisor_hostname=f'{name}.example',
        hypervisor_type='fake',
        hypervisor_version=1,
        vcpus=vcpus,
        memory_mb=memory_mb,
        disk_gb=disk_gb,
        **{'vcpu_ratio': 1.0, **fields},
    )


def residue(server_id: str, sequence: int) -> Residue:
    """What an agent is told of a guest that it must destroy."""
    return Residue(server_id=server_id, sequence=sequence)
