"""Which machine guests get, and what the host is said to have."""

import json

import pytest

from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.compute.virt.libvirt import capabilities
from cloudplane.compute.virt.libvirt.capabilities import Capabilities
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings
from cloudplane.exceptions import ConfigurationError

XML = """
<capabilities>
  <host>
    <cpu>
      <arch>x86_64</arch><model>EPYC</model><vendor>AMD</vendor>
      <topology sockets='1' dies='1' cores='4' threads='2'/>
      <feature name='ssse3'/><feature name='aes'/>
    </cpu>
    <topology><cells num='2'><cell id='0'/><cell id='1'/></cells></topology>
    <secmodel><model>apparmor</model><doi>0</doi></secmodel>
    <secmodel>
      <model>dac</model><doi>0</doi>
      <baselabel type='kvm'>+64055:+109</baselabel><baselabel type='qemu'>+64055:+109</baselabel>
    </secmodel>
  </host>
  <guest><os_type>hvm</os_type><arch name='i686'><domain type='qemu'/><domain type='kvm'/></arch></guest>
  <guest><os_type>hvm</os_type><arch name='x86_64'><domain type='qemu'/>{kvm}</arch></guest>
</capabilities>
"""
WITH_FLAG = 'processor\t: 0\nflags\t\t: fpu vme svm sse2\n'
WITHOUT_FLAG = 'processor\t: 0\nflags\t\t: fpu vme hypervisor sse2\nvmx flags\t: not this line\n'


def host(*, kvm: bool, architecture: str = 'x86_64') -> Capabilities:
    """A host on which libvirt lists KVM, because /dev/kvm opens, or does not."""
    text = XML.format(kvm="<domain type='kvm'/>" if kvm else '').replace('x86_64', architecture)
    return capabilities.parse(text, vcpus=8, memory_mb=16000, qemu_version=7002000)


def virt_type(wanted: str, found: Capabilities, cpuinfo: str) -> str:
    """The choice."""
    return capabilities.choose_machine(LibvirtSettings(virt_type=wanted), found, cpuinfo).virt_type


def test_kvm_is_used_where_libvirt_lists_it_and_the_cpu_has_the_flag() -> None:
    assert virt_type('auto', host(kvm=True), WITH_FLAG) == 'kvm'


def test_a_host_with_dev_kvm_and_no_cpu_flag_emulates() -> None:
    assert virt_type('auto', host(kvm=True), WITHOUT_FLAG) == 'qemu'


def test_a_host_without_dev_kvm_emulates() -> None:
    assert virt_type('auto', host(kvm=False), WITH_FLAG) == 'qemu'


def test_flags_are_not_asked_of_other_architectures() -> None:
    assert virt_type('auto', host(kvm=True, architecture='aarch64'), '') == 'kvm'


def test_the_operator_may_insist_on_kvm_in_spite_of_the_flags() -> None:
    assert virt_type('kvm', host(kvm=True), WITHOUT_FLAG) == 'kvm'


def test_the_operator_may_insist_on_emulation() -> None:
    assert virt_type('qemu', host(kvm=True), WITH_FLAG) == 'qemu'


def test_kvm_that_libvirt_does_not_offer_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match='/dev/kvm'):
        virt_type('kvm', host(kvm=False), WITH_FLAG)


def test_a_host_without_qemu_is_refused() -> None:
    found = capabilities.parse(
        '<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>',
        vcpus=1,
        memory_mb=1,
        qemu_version=0,
    )
    with pytest.raises(ConfigurationError, match='is QEMU installed'):
        virt_type('auto', found, WITH_FLAG)


def test_the_cpu_follows_the_way_of_executing() -> None:
    settings = LibvirtSettings()

    assert capabilities.choose_machine(settings, host(kvm=True), WITH_FLAG).cpu_mode == 'host-model'
    assert capabilities.choose_machine(settings, host(kvm=True), WITHOUT_FLAG).cpu_mode == 'maximum'


def test_a_custom_cpu_needs_a_model() -> None:
    with pytest.raises(ConfigurationError, match='cpu_model'):
        capabilities.choose_machine(LibvirtSettings(cpu_mode='custom'), host(kvm=True), WITH_FLAG)
    chosen = LibvirtSettings(cpu_mode='custom', cpu_model='EPYC', machine_type='q35')
    machine = capabilities.choose_machine(chosen, host(kvm=True), WITH_FLAG)
    assert (machine.cpu_mode, machine.cpu_model, machine.machine_type) == ('custom', 'EPYC', 'q35')


def test_a_cpu_of_the_host_is_refused_where_guests_are_emulated() -> None:
    with pytest.raises(ConfigurationError, match='host-passthrough needs KVM'):
        capabilities.choose_machine(LibvirtSettings(cpu_mode='host-passthrough'), host(kvm=False), WITH_FLAG)


def test_the_machine_follows_the_architecture() -> None:
    machines = {
        architecture: capabilities.choose_machine(
            LibvirtSettings(), host(kvm=True, architecture=architecture), WITH_FLAG
        ).machine_type
        for architecture in ('x86_64', 'aarch64', 's390x')
    }
    assert machines == {'x86_64': 'pc', 'aarch64': 'virt', 's390x': 's390-ccw-virtio'}


def test_the_user_of_qemu_is_read() -> None:
    assert host(kvm=True).qemu_user == (64055, 109)


def test_the_inventory_holds_what_the_host_has_and_what_its_operator_says() -> None:
    settings = HostSettings(host='h1', zone='z1', reserved_memory_mb=1024, vcpu_ratio=2.0)

    found = capabilities.inventory(settings, host(kvm=True), disk_gb=100)

    assert (found.host, found.hypervisor_hostname, found.zone) == ('h1', 'h1', 'z1')
    assert (found.vcpus, found.memory_mb, found.disk_gb) == (8, 16000, 100)
    assert (found.reserved_memory_mb, found.vcpu_ratio) == (1024, 2.0)
    assert (found.hypervisor_type, found.hypervisor_version) == ('QEMU', 7002000)
    cpu = json.loads(found.cpu_info)
    assert (cpu['model'], cpu['vendor'], cpu['features']) == ('EPYC', 'AMD', ['aes', 'ssse3'])
    assert cpu['topology'] == {'cells': 2, 'sockets': 1, 'cores': 4, 'threads': 2}
