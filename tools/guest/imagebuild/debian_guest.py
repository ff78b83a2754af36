"""The Debian guest: Debian 12 with cloud-init, as it is installed anywhere. GRUB starts it from its one partition."""

import os
import shlex
import shutil
from pathlib import Path

from imagebuild import disk, packages
from imagebuild.cli import Settings
from imagebuild.commands import BuildError, run, say
from imagebuild.files import copy_tree

GUEST = Path(__file__).resolve().parent.parent
SOURCES = ('debian',)
SUITE = 'bookworm'
ROOT_MIB = 2047
LABEL = 'debian-root'

# Programs that the build runs.
HOST_PACKAGES = ('debian-archive-keyring', 'e2fsprogs', 'mmdebstrap', 'qemu-utils')
# grub-pc-bin makes the boot loader, inside the guest; growpart (cloud-guest-utils) needs fdisk.
GUEST_PACKAGES = (
    'ca-certificates', 'cloud-guest-utils', 'cloud-init', 'dbus', 'e2fsprogs', 'fdisk', 'grub-pc-bin', 'iproute2',
    'libpam-systemd', 'linux-image-cloud-amd64', 'netbase', 'openssh-server', 'qemu-guest-agent', 'sudo',
    'systemd-resolved', 'systemd-sysv', 'udev',
)  # fmt: skip
LEFT_OUT = ('/usr/share/man/*', '/usr/share/locale/*', '/usr/share/doc/*')
GRUB_MODULES = ('biosdisk', 'part_msdos', 'ext2', 'normal', 'linux')
GRUB_FOLDER = 'usr/lib/grub/i386-pc'
CORE_IMAGE = 'boot/grub/core.img'
# They would be the same in all guests; the first boot makes new ones.
SECRETS = 'etc/ssh/ssh_host_*'


def build(settings: Settings, scratch: Path, image: Path) -> None:
    """Build the image, from packages to the compressed file."""
    if os.geteuid() != 0:
        raise BuildError('a Debian image is installed as root')
    packages.require_packages(HOST_PACKAGES, install=settings.install_packages)
    say('Installing Debian into a folder (this takes minutes)')
    tree = install_debian(scratch / 'root')
    configure(tree)
    say('Making the image')
    root = disk.make_ext4(scratch / 'root.ext4', ROOT_MIB, tree, label=LABEL)
    boot_code, core = (tree / GRUB_FOLDER / 'boot.img').read_bytes(), (tree / CORE_IMAGE).read_bytes()
    shutil.rmtree(tree)
    partition = disk.Partition(root, disk.LINUX)
    raw = disk.join_partitions(scratch / 'disk.raw', [partition], boot_code, after_mbr=core)
    disk.to_qcow2(raw, image)


def install_debian(tree: Path) -> Path:
    """Install the packages, with what their own scripts set up."""
    excluded = [f'--dpkgopt=path-exclude={pattern}' for pattern in LEFT_OUT]
    kept = '--dpkgopt=path-include=/usr/share/doc/*/copyright'
    include = f'--include={",".join(GUEST_PACKAGES)}'
    grub = ['grub-mkimage', '-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', f'/{CORE_IMAGE}', *GRUB_MODULES]
    in_guest = [['mkdir', '-p', '/boot/grub'], grub, ['systemctl', 'enable', 'systemd-networkd']]
    hooks = [f'--customize-hook=chroot "$1" {shlex.join(command)}' for command in in_guest]
    options = ['--mode=root', '--format=directory', '--variant=apt', include, *excluded, kept, *hooks]
    run(['mmdebstrap', *options, SUITE, tree])
    return tree


def configure(tree: Path) -> None:
    """Our few files, and nothing in it that has to differ between guests."""
    copy_tree(GUEST / 'debian', tree)
    for secret in tree.glob(SECRETS):
        secret.unlink()
    # Empty, not absent: systemd then writes a new one at the first boot.
    (tree / 'etc' / 'machine-id').write_text('')
    (tree / 'etc' / 'hostname').write_text('debian\n')
