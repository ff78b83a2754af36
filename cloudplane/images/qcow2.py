"""The qcow2 format, as far as cloudplane must know it itself: the header, and the whole of an empty overlay.

The header is read before QEMU's own tools see a file, because opening a hostile one is what they must be kept from.
Names and numbers are those of docs/interop/qcow2.txt in QEMU.
"""

import struct
from typing import Final

import msgspec

MAGIC: Final = b'QFI\xfb'
HEADER_BYTES: Final = 64 << 10  # enough to read: the header and its extensions lie in the first cluster
CLUSTER_BITS: Final = 16  # of the overlays made here, as qemu-img does
CLUSTER: Final = 1 << CLUSTER_BITS
MAX_PATH_BYTES: Final = 1023

DIRTY, CORRUPT, EXTERNAL_DATA, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
KNOWN_FEATURES: Final = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION | EXTENDED_L2

EXTENSION_END: Final = 0
EXTENSION_BACKING_FORMAT: Final = 0xE2792ACA
EXTENSION_DATA_FILE: Final = 0x44415441

# magic, version, backing offset and length, cluster bits, virtual size, encryption, L1 entries, L1 offset,
# refcount table offset and clusters, snapshots and their offset
_VERSION_2 = struct.Struct('>4sIQIIQIIQQIIQ')
# features (incompatible, compatible, autoclear), refcount order, header length
_VERSION_3 = struct.Struct('>QQQII')
_HEADER_3_BYTES: Final = _VERSION_2.size + _VERSION_3.size + 8  # with the compression type, padded
_EXTENSION = struct.Struct('>II')


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of a file says."""

    version: int
    backing_offset: int
    backing_length: int
    cluster_bits: int
    virtual_size_bytes: int
    encryption: int
    l1_entries: int
    l1_offset: int
    refcount_table_offset: int
    features: int = 0  # the incompatible ones
    extensions: tuple[int, ...] = ()  # their types


def read_header(data: bytes) -> Header:
    """The header at the start of a file; raises ValueError with the reason if there is none."""
    if len(data) < _VERSION_2.size:
        raise ValueError('it ends within the header')
    magic, version, backing_offset, backing_length, cluster_bits, size, encryption, l1, l1_offset, refcounts, *_ = (
        _VERSION_2.unpack_from(data)
    )
    if magic != MAGIC:
        raise ValueError('it has no qcow2 header')
    features, length = _features(data, version)
    return Header(
        version=version,
        backing_offset=backing_offset,
        backing_length=backing_length,
        cluster_bits=cluster_bits,
        virtual_size_bytes=size,
        encryption=encryption,
        l1_entries=l1,
        l1_offset=l1_offset,
        refcount_table_offset=refcounts,
        features=features,
        extensions=_extensions(data, length),
    )


def _features(data: bytes, version: int) -> tuple[int, int]:
    """The incompatible features, and the length of the header."""
    if version == 2:
        return 0, _VERSION_2.size
    if version != 3:
        raise ValueError(f'its qcow2 version is {version}, not 2 or 3')
    if len(data) < _VERSION_2.size + _VERSION_3.size:
        raise ValueError('it ends within the header')
    features, _compatible, _autoclear, _order, length = _VERSION_3.unpack_from(data, _VERSION_2.size)
    if length < _VERSION_2.size + _VERSION_3.size:
        raise ValueError(f'its header says that it is {length} bytes long')
    return features, length


def _extensions(data: bytes, offset: int) -> tuple[int, ...]:
    found = []
    while offset + _EXTENSION.size <= len(data):
        kind, length = _EXTENSION.unpack_from(data, offset)
        if kind == EXTENSION_END:
            break
        found.append(kind)
        offset += _EXTENSION.size + _padded(length)
    return tuple(found)


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def overlay(virtual_size_bytes: int, backing: str | None, backing_format: str) -> bytes:
    """A whole qcow2 file: an empty disk, or what `qemu-img create -b BACKING -F FORMAT` makes, 8 ms sooner.

    Clusters: the header; the refcount table; one refcount block, which has room for 32768 clusters; the L1 table.
    """
    l1_entries = -(-virtual_size_bytes // (CLUSTER * CLUSTER // 8))
    l1_clusters = max(1, -(-l1_entries * 8 // CLUSTER))
    clusters = 3 + l1_clusters
    if clusters > CLUSTER // 2:
        raise ValueError(f'a disk of {virtual_size_bytes} bytes is too large')
    header = _overlay_header(virtual_size_bytes, (backing or '').encode(), backing_format.encode(), l1_entries)
    refcount_table = struct.pack('>Q', 2 * CLUSTER)
    refcount_block = struct.pack('>H', 1) * clusters
    whole = b''.join(part.ljust(CLUSTER, b'\0') for part in (header, refcount_table, refcount_block))
    return whole + bytes(l1_clusters * CLUSTER)


def _overlay_header(virtual_size_bytes: int, backing: bytes, backing_format: bytes, l1_entries: int) -> bytes:
    if len(backing) > MAX_PATH_BYTES:
        raise ValueError(f'the path of the backing file is longer than {MAX_PATH_BYTES} bytes')
    extensions = _EXTENSION.pack(EXTENSION_END, 0)
    if backing:
        name = backing_format.ljust(_padded(len(backing_format)), b'\0')
        extensions = _EXTENSION.pack(EXTENSION_BACKING_FORMAT, len(backing_format)) + name + extensions
    backing_offset = _HEADER_3_BYTES + len(extensions) if backing else 0
    fixed = _VERSION_2.pack(
        MAGIC,
        3,
        backing_offset,
        len(backing),
        CLUSTER_BITS,
        virtual_size_bytes,
        0,
        l1_entries,
        3 * CLUSTER,
        CLUSTER,
        1,
        0,
        0,
    )
    return fixed + _VERSION_3.pack(0, 0, 0, 4, _HEADER_3_BYTES) + bytes(8) + extensions + backing
