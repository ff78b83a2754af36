"""The definition of a guest in libvirt's XML: pure functions of what it should be."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import msgspec

from cloudplane.compute.virt.libvirt import marks
from cloudplane.compute.virt.libvirt.capabilities import Machine
from cloudplane.compute.virt.libvirt.marks import Marks
from cloudplane.objects.operation import GuestSpec

ROOT_DEVICE: Final = 'vda'
_X86: Final = ('x86_64', 'i686')
_WITH_ACPI: Final = (*_X86, 'aarch64')

ET.register_namespace('cloudplane', marks.NAMESPACE)


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of a guest lie on the host."""

    root_disk: Path
    console_log: Path
    config_drive: Path | None = None


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """One network interface."""

    mac: str
    network: str


def domain_name(server_id: str) -> str:
    """The name under which `virsh list` shows a guest."""
    return f'cp-{server_id}'


def build(
    spec: GuestSpec,
    machine: Machine,
    files: Files,
    nics: tuple[Nic, ...],
    guest_marks: Marks,
    *,
    disk_cache: str = 'writeback',
    vnc: bool = False,
) -> str:
    """The XML of a domain."""
    domain = ET.Element('domain', type=machine.virt_type)
    _text(domain, 'name', domain_name(spec.server_id))
    _text(domain, 'uuid', spec.server_id)
    title = ' '.join(''.join(char if char.isprintable() else ' ' for char in spec.name).split())
    if title:
        _text(domain, 'title', title)
    ET.SubElement(domain, 'metadata').append(guest_marks.to_element())
    _text(domain, 'memory', str(spec.flavor.memory_mb), unit='MiB')
    _text(domain, 'vcpu', str(spec.flavor.vcpus))
    _add_machine(domain, machine)
    _text(domain, 'on_poweroff', 'destroy')
    _text(domain, 'on_reboot', 'restart')
    _text(domain, 'on_crash', 'destroy')
    devices = ET.SubElement(domain, 'devices')
    _add_root_disk(devices, files.root_disk, disk_cache)
    if files.config_drive is not None:
        _add_config_drive(devices, files.config_drive)
    for nic in nics:
        _add_nic(devices, nic)
    _add_console(devices, files.console_log)
    _add_paravirtual(devices)
    _add_screen(devices, machine, vnc)
    return ET.tostring(domain, encoding='unicode')


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _add_machine(domain: ET.Element, machine: Machine) -> None:
    os_element = ET.SubElement(domain, 'os')
    _text(os_element, 'type', 'hvm', arch=machine.architecture, machine=machine.machine_type)
    ET.SubElement(os_element, 'boot', dev='hd')
    if machine.architecture in _WITH_ACPI:
        features = ET.SubElement(domain, 'features')
        ET.SubElement(features, 'acpi')  # the power button
        if machine.architecture in _X86:
            ET.SubElement(features, 'apic')
    if machine.cpu_mode is not None:
        cpu = ET.SubElement(domain, 'cpu', mode=machine.cpu_mode)
        if machine.cpu_model:
            _text(cpu, 'model', machine.cpu_model)
    clock = ET.SubElement(domain, 'clock', offset='utc')
    if machine.virt_type == 'kvm' and machine.architecture in _X86:
        ET.SubElement(clock, 'timer', name='rtc', tickpolicy='catchup')
        ET.SubElement(clock, 'timer', name='pit', tickpolicy='delay')
        ET.SubElement(clock, 'timer', name='hpet', present='no')


def _add_root_disk(devices: ET.Element, path: Path, cache: str) -> None:
    disk = ET.SubElement(devices, 'disk', type='file', device='disk')
    ET.SubElement(disk, 'driver', name='qemu', type='qcow2', cache=cache, discard='unmap')
    ET.SubElement(disk, 'source', file=str(path))
    ET.SubElement(disk, 'target', dev=ROOT_DEVICE, bus='virtio')


def _add_config_drive(devices: ET.Element, path: Path) -> None:
    """A virtio-scsi CD-ROM: kernels made for clouds have no driver for a SATA or IDE one."""
    ET.SubElement(devices, 'controller', type='scsi', index='0', model='virtio-scsi')
    disk = ET.SubElement(devices, 'disk', type='file', device='cdrom')
    ET.SubElement(disk, 'driver', name='qemu', type='raw')
    ET.SubElement(disk, 'source', file=str(path))
    ET.SubElement(disk, 'target', dev='sda', bus='scsi')
    ET.SubElement(disk, 'readonly')


def _add_nic(devices: ET.Element, nic: Nic) -> None:
    interface = ET.SubElement(devices, 'interface', type='network')
    ET.SubElement(interface, 'mac', address=nic.mac)
    ET.SubElement(interface, 'source', network=nic.network)
    ET.SubElement(interface, 'model', type='virtio')
    # No option ROM: guests boot from their disk, and without one the firmware is done sooner.
    ET.SubElement(interface, 'rom', enabled='no')


def _add_console(devices: ET.Element, log: Path) -> None:
    """A serial console; virtlogd writes what it says to a file, and limits its size."""
    console = ET.SubElement(devices, 'console', type='pty')
    ET.SubElement(console, 'log', file=str(log), append='on')


def _add_paravirtual(devices: ET.Element) -> None:
    channel = ET.SubElement(devices, 'channel', type='unix')
    ET.SubElement(channel, 'target', type='virtio', name='org.qemu.guest_agent.0')
    rng = ET.SubElement(devices, 'rng', model='virtio')
    _text(rng, 'backend', '/dev/urandom', model='random')
    ET.SubElement(devices, 'memballoon', model='virtio')


def _add_screen(devices: ET.Element, machine: Machine, vnc: bool) -> None:
    if not vnc:
        ET.SubElement(devices, 'controller', type='usb', index='0', model='none')
        return
    graphics = ET.SubElement(devices, 'graphics', type='vnc', autoport='yes')
    ET.SubElement(graphics, 'listen', type='address', address='127.0.0.1')
    video = ET.SubElement(devices, 'video')
    ET.SubElement(video, 'model', type='vga' if machine.architecture in _X86 else 'virtio')
    ET.SubElement(devices, 'controller', type='usb', index='0', model='qemu-xhci')
    ET.SubElement(devices, 'input', type='tablet', bus='usb')  # the pointer is where the client's is


def backup(target: Path) -> str:
    """The XML of a backup job that writes the root disk, as a whole, to a new qcow2 file."""
    job = ET.Element('domainbackup', mode='push')
    disk = ET.SubElement(ET.SubElement(job, 'disks'), 'disk', name=ROOT_DEVICE, type='file')
    ET.SubElement(disk, 'driver', type='qcow2')
    ET.SubElement(disk, 'target', file=str(target))
    return ET.tostring(job, encoding='unicode')
