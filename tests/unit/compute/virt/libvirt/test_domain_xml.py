"""The definition of guests."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from cloudplane.compute.virt.libvirt import domain_xml, marks
from cloudplane.compute.virt.libvirt.capabilities import Machine
from cloudplane.compute.virt.libvirt.domain_xml import Files, Nic
from tests.unit.compute.virt.libvirt.specs import SERVER_ID, flavor, guest_spec
from tests.unit.compute.virt.libvirt.test_marks import MARKS

FILES = Files(root_disk=Path('/s/root.qcow2'), console_log=Path('/s/console.log'), config_drive=Path('/s/config.iso'))
NIC = Nic(mac='fa:16:3e:00:00:02', network='net')


def machine(virt_type: str = 'qemu', architecture: str = 'x86_64', cpu_mode: str | None = 'maximum') -> Machine:
    """A machine for guests."""
    return Machine(virt_type=virt_type, architecture=architecture, machine_type='pc', cpu_mode=cpu_mode)


def domain(files: Files = FILES, nics: tuple[Nic, ...] = (NIC,), **changes: Any) -> ET.Element:
    """The definition of a guest."""
    options = {name: changes.pop(name) for name in ('disk_cache', 'vnc') if name in changes}
    its_machine = changes.pop('machine', machine())
    return ET.fromstring(domain_xml.build(guest_spec(**changes), its_machine, files, nics, MARKS, **options))


def attributes(root: ET.Element, path: str) -> dict[str, str]:
    """The attributes of the one element there."""
    (found,) = root.findall(path)
    return found.attrib


def test_the_guest_is_named_for_its_server() -> None:
    root = domain()
    assert root.findtext('name') == f'cp-{SERVER_ID}'
    assert root.findtext('uuid') == SERVER_ID
    assert root.findtext('title') == 'web 1'


def test_a_name_that_xml_cannot_hold_does_not_break_the_definition() -> None:
    assert domain(name='a<b>&\n\x00"c').findtext('title') == 'a<b>& "c'
    assert domain(name='\n').find('title') is None


def test_the_marks_are_in_a_namespace_of_their_own() -> None:
    (found,) = domain().findall(f'metadata/{{{marks.NAMESPACE}}}guest')
    assert marks.parse(ET.tostring(found, encoding='unicode')) == MARKS


def test_the_flavor_sizes_the_guest() -> None:
    root = domain(flavor=flavor(vcpus=3, memory_mb=777))
    assert (root.findtext('vcpu'), root.findtext('memory')) == ('3', '777')
    assert attributes(root, 'memory') == {'unit': 'MiB'}


def test_it_has_a_power_button() -> None:
    assert domain().find('features/acpi') is not None


def test_the_root_disk_is_virtio_and_gives_back_what_the_guest_discards() -> None:
    root = domain(disk_cache='none')
    (disk,) = root.findall("devices/disk[@device='disk']")
    assert attributes(disk, 'target') == {'dev': 'vda', 'bus': 'virtio'}
    assert attributes(disk, 'source') == {'file': '/s/root.qcow2'}
    assert attributes(disk, 'driver') == {'name': 'qemu', 'type': 'qcow2', 'cache': 'none', 'discard': 'unmap'}


def test_the_config_drive_is_a_virtio_scsi_cdrom() -> None:
    root = domain()
    (cdrom,) = root.findall("devices/disk[@device='cdrom']")
    assert attributes(cdrom, 'target')['bus'] == 'scsi'
    assert cdrom.find('readonly') is not None
    assert attributes(root, "devices/controller[@type='scsi']")['model'] == 'virtio-scsi'


def test_a_guest_without_config_drive_has_no_cdrom() -> None:
    root = domain(Files(root_disk=FILES.root_disk, console_log=FILES.console_log))
    assert root.findall("devices/disk[@device='cdrom']") == []
    assert root.findall("devices/controller[@type='scsi']") == []


def test_each_interface_is_virtio_on_the_network() -> None:
    (nic,) = domain().findall('devices/interface')
    assert attributes(nic, 'mac') == {'address': NIC.mac}
    assert attributes(nic, 'source') == {'network': 'net'}
    assert attributes(nic, 'model') == {'type': 'virtio'}
    assert domain(nics=()).findall('devices/interface') == []


def test_the_console_is_kept_in_a_file() -> None:
    assert attributes(domain(), 'devices/console/log') == {'file': '/s/console.log', 'append': 'on'}


def test_emulated_guests_are_not_asked_to_use_kvm() -> None:
    root = domain(machine=machine('qemu', cpu_mode='maximum'))
    assert root.get('type') == 'qemu'
    assert attributes(root, 'cpu') == {'mode': 'maximum'}
    assert root.findall('clock/timer') == []


def test_guests_with_kvm_get_its_clocks_and_a_cpu_like_the_hosts() -> None:
    root = domain(machine=machine('kvm', cpu_mode='host-model'))
    assert root.get('type') == 'kvm'
    assert attributes(root, 'cpu') == {'mode': 'host-model'}
    assert {timer.get('name') for timer in root.findall('clock/timer')} == {'rtc', 'pit', 'hpet'}


def test_the_cpu_may_be_left_to_the_hypervisor_or_named() -> None:
    assert domain(machine=machine(cpu_mode=None)).find('cpu') is None
    named = Machine(virt_type='kvm', architecture='x86_64', machine_type='pc', cpu_mode='custom', cpu_model='Nehalem')
    assert domain(machine=named).findtext('cpu/model') == 'Nehalem'


@pytest.mark.parametrize('architecture', ['aarch64', 's390x'])
def test_other_architectures_get_nothing_that_only_x86_has(architecture: str) -> None:
    root = domain(machine=machine('kvm', architecture))
    assert root.find('features/apic') is None
    assert root.findall('clock/timer') == []
    assert attributes(root, 'os/type')['arch'] == architecture


def test_a_screen_is_there_only_when_asked_for_and_only_for_the_host() -> None:
    assert domain().find('devices/graphics') is None
    assert attributes(domain(vnc=True), 'devices/graphics/listen')['address'] == '127.0.0.1'


def test_a_backup_copies_the_root_disk_alone() -> None:
    root = ET.fromstring(domain_xml.backup(Path('/s/copies/x.part')))
    assert root.get('mode') == 'push'
    assert attributes(root, 'disks/disk') == {'name': 'vda', 'type': 'file'}
    assert attributes(root, 'disks/disk/target') == {'file': '/s/copies/x.part'}
    assert attributes(root, 'disks/disk/driver') == {'type': 'qcow2'}
