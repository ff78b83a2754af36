"""The archive format that Linux unpacks as its first file system: cpio, variant "newc", compressed with gzip.

Written here because the cpio program cannot give the entries to root unless root runs it.
"""

import gzip
import os
import stat
from pathlib import Path

COMPRESSION_LEVEL = 9


def write_initrd(tree: Path, archive: Path) -> None:
    """Pack a folder, all of it owned by root."""
    paths = sorted(path for path in tree.rglob('*'))
    entries = [entry(number, path.relative_to(tree), path) for number, path in enumerate(paths, start=1)]
    entries.append(header_and_name(0, 'TRAILER!!!', 0, 0))
    archive.write_bytes(gzip.compress(b''.join(entries), COMPRESSION_LEVEL, mtime=0))


def entry(number: int, name: Path, path: Path) -> bytes:
    """One file, folder or symbolic link."""
    mode = path.lstat().st_mode
    content = content_of(path, mode)
    return header_and_name(number, str(name), mode, len(content)) + padded(content)


def content_of(path: Path, mode: int) -> bytes:
    """What the archive stores for an entry of this mode."""
    if stat.S_ISLNK(mode):
        return os.readlink(path).encode()
    return path.read_bytes() if stat.S_ISREG(mode) else b''


def header_and_name(number: int, name: str, mode: int, size: int) -> bytes:
    """The fixed part of an entry: thirteen numbers of eight hexadecimal digits, then the name."""
    encoded = name.encode() + b'\0'
    owner = group = modified = major = minor = device_major = device_minor = checksum = 0
    fields = (
        number, mode, owner, group, 1, modified, size,
        major, minor, device_major, device_minor, len(encoded), checksum,
    )  # fmt: skip
    return padded(b'070701' + b''.join(b'%08x' % field for field in fields) + encoded)


def padded(content: bytes) -> bytes:
    """Content filled up to a multiple of four bytes."""
    return content + b'\0' * (-len(content) % 4)
