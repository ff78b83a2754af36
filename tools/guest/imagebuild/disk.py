"""Disks as plain files: file systems are made in files of their own and then joined behind a partition table."""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuild.commands import BuildError, as_root, run

MIB = 1024 * 1024
SECTOR_BYTES = 512
SECTORS_PER_MIB = MIB // SECTOR_BYTES
# The space before the first partition is where boot loaders expect room.
FIRST_PARTITION_MIB = 1
BOOT_CODE_BYTES = 440
FAT_LBA = 0x0C
LINUX = 0x83
# Cylinder, head and sector of what lies beyond their range; everyone reads the sector numbers instead.
NO_CHS = b'\xfe\xff\xff'


@dataclass(frozen=True)
class Partition:
    """A file system in a file, and how the partition table describes it."""

    file: Path
    type_code: int

    @property
    def size_mib(self) -> int:
        """The length; file systems are made in whole MiB."""
        return self.file.stat().st_size // MIB


def make_ext4(file: Path, size_mib: int, tree: Path, *, label: str) -> Path:
    """An ext4 file system filled from a folder, its tables written out, so that the guest's kernel need not do it."""
    make_sparse(file, size_mib)
    options = 'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0'
    run(as_root(['mke2fs', '-q', '-F', '-t', 'ext4', '-m', '0', '-L', label, '-E', options, '-d', tree, file]))
    return file


def make_fat(file: Path, size_mib: int, content: dict[str, Path], *, label: str) -> Path:
    """A FAT file system that is to be the first partition, with files in its root folder."""
    make_sparse(file, size_mib)
    sectors_before = FIRST_PARTITION_MIB * SECTORS_PER_MIB
    run(['mkfs.vfat', '-h', str(sectors_before), '-n', label, file])
    for name, source in content.items():
        run(['mcopy', '-i', file, source, f'::{name}'])
    return file


def make_sparse(file: Path, size_mib: int) -> None:
    """A file of that size that takes no space."""
    with file.open('wb') as opened:
        opened.truncate(size_mib * MIB)


def join_partitions(disk: Path, partitions: Sequence[Partition], boot_code: bytes, *, after_mbr: bytes = b'') -> Path:
    """A disk with an MBR partition table, whose partitions follow one another; the first one is the active one.

    What a boot loader wants right behind the MBR has its place before the first partition.
    """
    if len(after_mbr) > FIRST_PARTITION_MIB * MIB - SECTOR_BYTES:
        raise BuildError(f'the boot loader is too large: {len(after_mbr)} bytes')
    make_sparse(disk, FIRST_PARTITION_MIB + sum(partition.size_mib for partition in partitions))
    start_mib = FIRST_PARTITION_MIB
    table = b''
    for partition in partitions:
        table += table_entry(partition, start_mib, active=not table)
        run(['dd', f'if={partition.file}', f'of={disk}', 'bs=1M', f'seek={start_mib}', 'conv=notrunc,sparse'])
        start_mib += partition.size_mib
    with disk.open('r+b') as file:
        file.write(master_boot_record(boot_code, table) + after_mbr)
    return disk


def table_entry(partition: Partition, start_mib: int, *, active: bool) -> bytes:
    """One line of the partition table."""
    flag = 0x80 if active else 0
    first, count = start_mib * SECTORS_PER_MIB, partition.size_mib * SECTORS_PER_MIB
    return struct.pack('<B3sB3sII', flag, NO_CHS, partition.type_code, NO_CHS, first, count)


def master_boot_record(boot_code: bytes, table: bytes) -> bytes:
    """The first sector: code, a signature that tells disks apart, and the table."""
    code = boot_code[:BOOT_CODE_BYTES].ljust(BOOT_CODE_BYTES, b'\0')
    return code + os.urandom(4) + b'\0\0' + table.ljust(64, b'\0') + b'\x55\xaa'


def to_qcow2(disk: Path, image: Path) -> None:
    """A compressed qcow2 file of a raw disk."""
    run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', disk, image])
