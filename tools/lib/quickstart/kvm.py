"""/dev/kvm, as a libvirtd that is started here should see it.

Where udev does not run, the device belongs to root alone. QEMU's user cannot open it, and then libvirt examines QEMU
anew before each call; where the CPU cannot virtualise, that takes 12 s, for KVM opens and then hangs. So libvirtd gets
a device of its own, in a mount namespace of its own: the one that udev would have made, or one that does not open.
"""

import grp
import re
import stat
from pathlib import Path

DEVICE = Path('/dev/kvm')
_CPUINFO = Path('/proc/cpuinfo')
# $1: major and minor number, $2: mode; then the daemon. The node lies on a file system that ends with the namespace.
_SCRIPT = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /mnt
mknod -m "$2" /mnt/kvm c $1
chgrp kvm /mnt/kvm
mount --bind /mnt/kvm /dev/kvm
umount --lazy /mnt
shift 2
exec "$@"
"""
_REAL, _NONE = '10 232', '10 255'


def around_daemon() -> list[str]:
    """What to put before the command of libvirtd; nothing if the device is as it should be."""
    if not DEVICE.exists():
        return []
    if not re.search(r'^flags\s*:.*\b(vmx|svm)\b', _CPUINFO.read_text(), re.MULTILINE):
        device = (_NONE, '0600')
    elif not _open_to_group():
        device = (_REAL, '0660')
    else:
        return []
    return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', _SCRIPT, 'sh', *device]


def _open_to_group() -> bool:
    """Whether it belongs to the group that QEMU's user is in."""
    status = DEVICE.stat()
    return status.st_gid == grp.getgrnam('kvm').gr_gid and bool(status.st_mode & stat.S_IWGRP)
