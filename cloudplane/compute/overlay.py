"""The disks of guests: qcow2 overlays that hold what a guest writes, on a base image that they share.

They are written here rather than by qemu-img, which takes longer to start than to work; the tests compare the two.
"""

import os
from pathlib import Path
from typing import Final

from cloudplane.concurrency import BlockingPool
from cloudplane.images import qcow2, transfer
from cloudplane.images.errors import FlavorDiskTooSmall, ImageCorrupt
from cloudplane.objects.image import QCOW2, RAW

DISK_MODE: Final = 0o600  # libvirt hands it to QEMU's user
_SECTOR: Final = 512
_GIB: Final = 1 << 30


def make_overlay(
    base: Path | None, target: Path, *, size_gb: int, operation_id: str, attempt: int, pool: BlockingPool
) -> None:
    """Make the disk `target` of `size_gb` GiB on `base` (None: an empty disk); 0 GiB is the size of the base.

    A disk that exists is complete, and is left as it is; part files of the same disk are thrown away.
    Raises FlavorDiskTooSmall, ImageSpaceExhausted.
    """
    if target.exists():
        return
    size_bytes = disk_size_bytes(base, size_gb)
    for left in target.parent.glob(f'{target.name}.*.part'):
        left.unlink(missing_ok=True)
    content = qcow2.overlay(size_bytes, str(base.absolute()) if base else None, _format(base) if base else '')
    part = target.with_name(f'{target.name}.{operation_id}.{attempt}.part')
    with transfer.space_errors():
        pool.run(_write, part, target, content)


def disk_size_bytes(base: Path | None, size_gb: int) -> int:
    """The size of the disk that a flavor's `size_gb` and a base image make together. Raises FlavorDiskTooSmall."""
    least = virtual_size_bytes(base) if base else 0
    wanted = size_gb * _GIB or least
    if wanted == 0:
        raise FlavorDiskTooSmall('The flavor has no root disk, and there is no image that could give it a size.')
    if wanted < least:
        raise FlavorDiskTooSmall(
            f'The root disk of the flavor is smaller than the disk of the image: {size_gb} GB ({wanted} bytes) against '
            f'{least / _GIB:.1f} GB ({least} bytes). Choose a larger flavor.'
        )
    return wanted


def virtual_size_bytes(base: Path) -> int:
    """The size of the disk in a base image of the cache."""
    with open(base, 'rb') as opened:
        if _format(base) == RAW:
            return -(-os.fstat(opened.fileno()).st_size // _SECTOR) * _SECTOR
        try:
            return qcow2.read_header(opened.read(qcow2.HEADER_BYTES)).virtual_size_bytes
        except ValueError as error:
            raise ImageCorrupt(f'The base image {base} is damaged: {error}. Remove it to have it fetched.') from error


def _format(base: Path) -> str:
    return RAW if base.suffix == f'.{RAW}' else QCOW2


def _write(part: Path, target: Path, content: bytes) -> None:
    """Make the file as a whole, and see that it is still there after a crash of the machine. Blocks."""
    part_fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, DISK_MODE)
    try:
        with open(part_fd, 'wb', closefd=False) as opened:
            opened.write(content)
        os.fsync(part_fd)
    finally:
        os.close(part_fd)
    os.rename(part, target)
    transfer.sync_folder(target.parent)
