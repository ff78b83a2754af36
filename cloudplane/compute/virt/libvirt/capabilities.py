"""What this host can do: whether KVM really works, which machine and CPU guests get, and how much there is of all."""

import json
import platform
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import libvirt
import msgspec

from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings
from cloudplane.exceptions import ConfigurationError
from cloudplane.objects.host import HostInventory

CPUINFO: Final = Path('/proc/cpuinfo')
_X86: Final = ('x86_64', 'i686')
_DEFAULT_MACHINE: Final = 'virt'
_MACHINES: Final = {'x86_64': 'pc', 'i686': 'pc', 'ppc64le': 'pseries', 's390x': 's390-ccw-virtio'}


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What libvirt says of its host and its QEMU."""

    architecture: str
    guest_types: frozenset[str]  # qemu, kvm: for guests of the host's own architecture
    cpu_info: str  # JSON text, in the shape that clients of os-hypervisors know
    qemu_user: tuple[int, int] | None  # uid and gid that QEMU runs as
    vcpus: int
    memory_mb: int
    qemu_version: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What all guests of the host have in common."""

    virt_type: str
    architecture: str
    machine_type: str
    cpu_mode: str | None  # None: the hypervisor's default
    cpu_model: str = ''


def read(connection: Any) -> Capabilities:
    """Ask libvirt. In a native thread."""
    text = connection.getCapabilities()
    vcpus = connection.getInfo()[2]
    # Not getInfo()'s memory: that counts what is populated at the moment, which changes where memory is ballooned.
    memory = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    return parse(text, vcpus=vcpus, memory_mb=memory['total'] // 1024, qemu_version=connection.getVersion())


def parse(text: str, *, vcpus: int, memory_mb: int, qemu_version: int) -> Capabilities:
    """The capabilities in libvirt's XML."""
    root = ET.fromstring(text)
    architecture = root.findtext('host/cpu/arch') or platform.machine()
    types = {
        domain.get('type', '')
        for arch in root.iterfind('guest/arch')
        if arch.get('name') == architecture
        for domain in arch.iterfind('domain')
    }
    return Capabilities(
        architecture=architecture,
        guest_types=frozenset(types),
        cpu_info=_cpu_info(root, architecture),
        qemu_user=_qemu_user(root),
        vcpus=vcpus,
        memory_mb=memory_mb,
        qemu_version=qemu_version,
    )


def _cpu_info(root: ET.Element, architecture: str) -> str:
    cpu = root.find('host/cpu')
    topology = cpu.find('topology') if cpu is not None else None
    info: dict[str, object] = {'arch': architecture}
    if cpu is not None:
        info['model'] = cpu.findtext('model') or ''
        info['vendor'] = cpu.findtext('vendor') or ''
        info['features'] = sorted(feature.get('name', '') for feature in cpu.iterfind('feature'))
    if topology is not None:
        info['topology'] = {
            'cells': len(root.findall('host/topology/cells/cell')) or 1,
            'sockets': int(topology.get('sockets', 1)),
            'cores': int(topology.get('cores', 1)),
            'threads': int(topology.get('threads', 1)),
        }
    return json.dumps(info, sort_keys=True)


def _qemu_user(root: ET.Element) -> tuple[int, int] | None:
    for model in root.iterfind('host/secmodel'):
        if model.findtext('model') == 'dac':
            label = model.findtext("baselabel[@type='kvm']") or model.findtext('baselabel') or ''
            uid, _, gid = label.partition(':')
            return int(uid.lstrip('+')), int(gid.lstrip('+'))
    return None


def choose_machine(settings: LibvirtSettings, capabilities: Capabilities, cpuinfo: str) -> Machine:
    """The machine that guests get; `cpuinfo` is the text of /proc/cpuinfo. Raises ConfigurationError."""
    virt_type = _choose_virt_type(settings.virt_type, capabilities, cpuinfo)
    cpu_mode = settings.cpu_mode
    if cpu_mode == 'auto':
        cpu_mode = 'host-model' if virt_type == 'kvm' else 'maximum'
    if cpu_mode == 'custom' and not settings.cpu_model:
        raise ConfigurationError('[libvirt] cpu_mode is custom: set cpu_model as well')
    if virt_type == 'qemu' and cpu_mode in ('host-model', 'host-passthrough'):
        raise ConfigurationError(f'[libvirt] cpu_mode {cpu_mode} needs KVM, and guests run under plain QEMU here')
    machine = settings.machine_type or _MACHINES.get(capabilities.architecture, _DEFAULT_MACHINE)
    return Machine(
        virt_type=virt_type,
        architecture=capabilities.architecture,
        machine_type=machine,
        cpu_mode=None if cpu_mode == 'none' else cpu_mode,
        cpu_model=settings.cpu_model if cpu_mode == 'custom' else '',
    )


def _choose_virt_type(wanted: str, capabilities: Capabilities, cpuinfo: str) -> str:
    """/dev/kvm may open, libvirt list kvm and a guest hang all the same: on x86 the CPU has the last word."""
    listed = 'kvm' in capabilities.guest_types
    if wanted == 'kvm' and not listed:
        raise ConfigurationError(
            '[libvirt] virt_type is kvm, and libvirt does not offer it here. Check that /dev/kvm exists and that '
            "QEMU's user may open it, or set virt_type = auto"
        )
    if wanted == 'auto':
        wanted = 'kvm' if listed and cpu_virtualises(capabilities.architecture, cpuinfo) else 'qemu'
    if wanted not in capabilities.guest_types:
        raise ConfigurationError(f'libvirt cannot run {capabilities.architecture} guests: is QEMU installed?')
    return wanted


def cpu_virtualises(architecture: str, cpuinfo: str) -> bool:
    """Whether the CPU can run guests itself, as far as /proc/cpuinfo tells."""
    if architecture not in _X86:
        return True
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(':')
        if name.strip() == 'flags':
            return not {'vmx', 'svm'}.isdisjoint(value.split())
    return False


def inventory(host: HostSettings, capabilities: Capabilities, disk_gb: int) -> HostInventory:
    """What the host offers to servers."""
    return HostInventory(
        host=host.host,
        hypervisor_hostname=host.host,  # not libvirt's name of the machine: several agents may share one
        hypervisor_type='QEMU',
        hypervisor_version=capabilities.qemu_version,
        host_ip=host.host_ip,
        cpu_info=capabilities.cpu_info,
        architecture=capabilities.architecture,
        zone=host.zone,
        vcpus=capabilities.vcpus,
        memory_mb=capabilities.memory_mb,
        disk_gb=disk_gb,
        reserved_vcpus=host.reserved_vcpus,
        reserved_memory_mb=host.reserved_memory_mb,
        reserved_disk_gb=host.reserved_disk_gb,
        vcpu_ratio=host.vcpu_ratio,
        memory_ratio=host.memory_ratio,
        disk_ratio=host.disk_ratio,
    )
