"""The small guest: busybox and dropbear on Debian's cloud kernel."""

from pathlib import Path

from imagebuild import disk, packages
from imagebuild.cli import Settings
from imagebuild.commands import BuildError, run, say
from imagebuild.files import copy_file, copy_tree
from imagebuild.initrd import write_initrd
from imagebuild.kernel import Kernel

GUEST = Path(__file__).resolve().parent.parent
SOURCES = ('initrd', 'rootfs', 'syslinux.cfg')

# Programs that the build runs.
HOST_PACKAGES = ('dosfstools', 'e2fsprogs', 'mtools', 'qemu-utils', 'syslinux', 'syslinux-common')
# Unpacked for the guest, besides the kernel: one program for everything, the ssh server, and the libraries of that.
GUEST_PACKAGES = (
    'busybox-static', 'dropbear-bin', 'libc6', 'libcrypt1', 'libgmp10', 'libtomcrypt1', 'libtommath1', 'zlib1g',
)  # fmt: skip
PROGRAMS = ('bin/busybox', 'usr/bin/dropbearkey', 'usr/sbin/dropbear')
LIBRARIES = ('libc.so.6', 'libcrypt.so.1', 'libgmp.so.10', 'libtomcrypt.so.1', 'libtommath.so.1', 'libz.so.1')
LIBRARY_FOLDERS = ('lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu')
LOADER = 'ld-linux-x86-64.so.2'
# What tools/guest/initrd/init loads; what they need comes along.
KERNEL_MODULES = (
    'button', 'evdev', 'isofs', 'sd_mod', 'sr_mod', 'virtio_balloon', 'virtio_blk', 'virtio_console', 'virtio_net',
    'virtio_pci', 'virtio_rng', 'virtio_scsi',
)  # fmt: skip
# What tools/guest/initrd/init calls.
INITRD_APPLETS = ('cttyhack', 'modprobe', 'mount', 'setsid', 'sh', 'switch_root', 'usleep')

ROOT_FOLDERS = ('dev', 'mnt', 'proc', 'root', 'run', 'sys', 'tmp', 'var/lib', 'var/log')
PRIVATE_MODES = {'root': 0o700, 'etc/shadow': 0o600}
BOOT_MIB = 24
ROOT_MIB = 103
MBR_CODE = Path('/usr/lib/syslinux/mbr/mbr.bin')


def build(settings: Settings, scratch: Path, image: Path) -> None:
    """Build the image, from packages to the compressed file."""
    packages.require_packages(HOST_PACKAGES, install=settings.install_packages)
    say('Fetching the packages of the guest')
    kernel_package, debs = packages.with_fresh_lists(
        lambda: fetch(settings.package_cache), may_update=settings.install_packages
    )
    say('Putting the guest together')
    kernel = Kernel(packages.unpack([kernel_package], scratch / 'kernel'))
    unpacked = packages.unpack(debs, scratch / 'packages')
    boot = make_boot_partition(scratch, kernel, unpacked)
    root = disk.make_ext4(scratch / 'root.ext4', ROOT_MIB, make_root_tree(scratch, unpacked), label='guest-root')
    partitions = [disk.Partition(boot, disk.FAT_LBA), disk.Partition(root, disk.LINUX)]
    raw = disk.join_partitions(scratch / 'disk.raw', partitions, MBR_CODE.read_bytes())
    disk.to_qcow2(raw, image)


def fetch(package_cache: Path) -> tuple[Path, list[Path]]:
    """Download what goes into the guest: the kernel's package, and the others."""
    kernel = packages.cloud_kernel()
    say(f'The kernel is {kernel}')
    fetched = packages.download([kernel, *GUEST_PACKAGES], package_cache)
    return fetched[0], fetched[1:]


def make_boot_partition(scratch: Path, kernel: Kernel, unpacked: Path) -> Path:
    """The partition that the BIOS boots: syslinux, its configuration, the kernel and the initrd."""
    write_initrd(make_initrd_tree(scratch, kernel, unpacked), scratch / 'initrd.gz')
    content = {'vmlinuz': kernel.image, 'initrd.gz': scratch / 'initrd.gz', 'syslinux.cfg': GUEST / 'syslinux.cfg'}
    boot = disk.make_fat(scratch / 'boot.fat', BOOT_MIB, content, label='GUESTBOOT')
    run(['syslinux', '--install', boot])
    return boot


def make_initrd_tree(scratch: Path, kernel: Kernel, unpacked: Path) -> Path:
    """The files of the initrd."""
    tree = scratch / 'initrd'
    copy_file(GUEST / 'initrd' / 'init', tree / 'init')
    copy_file(unpacked / 'bin' / 'busybox', tree / 'bin' / 'busybox')
    for applet in INITRD_APPLETS:
        (tree / 'bin' / applet).symlink_to('busybox')
    for folder in ('dev', 'proc', 'sys', 'root'):
        (tree / folder).mkdir()
    kernel.copy_modules(KERNEL_MODULES, tree)
    return tree


def make_root_tree(scratch: Path, unpacked: Path) -> Path:
    """The files of the root file system."""
    tree = scratch / 'root'
    tree.mkdir()
    for folder in ROOT_FOLDERS:
        (tree / folder).mkdir(parents=True)
    for program in PROGRAMS:
        copy_file(unpacked / program, tree / program)
    copy_libraries(unpacked, tree)
    link_applets(unpacked / 'bin' / 'busybox', tree)
    copy_tree(GUEST / 'rootfs', tree)
    for name, mode in PRIVATE_MODES.items():
        (tree / name).chmod(mode)
    return tree


def copy_libraries(unpacked: Path, tree: Path) -> None:
    """The libraries under the names by which programs look for them, and the loader where programs expect it."""
    for name in LIBRARIES:
        copy_file(find_library(name, unpacked), tree / LIBRARY_FOLDERS[0] / name)
    copy_file(find_library(LOADER, unpacked), tree / 'lib64' / LOADER)


def find_library(name: str, unpacked: Path) -> Path:
    """Where a library was unpacked."""
    for folder in LIBRARY_FOLDERS:
        if (unpacked / folder / name).exists():
            return unpacked / folder / name
    raise BuildError(f'none of the packages {" ".join(GUEST_PACKAGES)} holds {name}')


def link_applets(busybox: Path, tree: Path) -> None:
    """A link for each program that busybox can be."""
    for name in run([busybox, '--list-full']).split():
        link = tree / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to('/bin/busybox')
