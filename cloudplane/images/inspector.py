"""What is checked before a file becomes an image: that it is what its owner declares, whole, and that QEMU will never
open another file because of it. First the start of the file, by ourselves, because QEMU opens what a file names while
it finds out what that is; then QEMU's own view, of the declared format alone and within limits (qemu_img.py).
"""

import os
import re
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from cloudplane.images import qcow2
from cloudplane.images.errors import ImageInvalid
from cloudplane.images.qemu_img import QemuImg
from cloudplane.objects.image import QCOW2, RAW

# What no raw disk starts with: (offset, bytes, name of the format)
_FOREIGN: Final = (
    (0, qcow2.MAGIC, 'qcow2'),
    (0, b'QED\0', 'qed'),
    (0, b'KDMV', 'vmdk'),
    (0, b'COWD', 'vmdk'),
    (0, b'# Disk DescriptorFile', 'vmdk'),
    (0, b'conectix', 'vpc'),
    (0, b'vhdxfile', 'vhdx'),
    (0, b'LUKS\xba\xbe', 'luks'),
    (0, b'WithoutFreeSpace', 'parallels'),
    (0, b'WithouFreSpacExt', 'parallels'),
    (0, b'Bochs Virtual HD Image', 'bochs'),
    (0, b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop', 'cloop'),
    (64, b'\x7f\x10\xda\xbe', 'vdi'),
)
# A vmdk that is a text: comments and empty lines, then its version.
_VMDK_TEXT: Final = re.compile(rb'(?:#[^\n]*\n| *\r?\n)*version=\d')


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a file that may be used."""

    virtual_size_bytes: int


class Inspector(Protocol):
    """Says whether a file may become an image."""

    def inspect(self, path: Path, disk_format: str) -> Inspection:
        """Look at a file that nobody writes; raises ImageInvalid with the reason. Runs programs: ordinary threads."""


class ImageInspector:
    """The inspector that trusts nothing."""

    def __init__(self, *, max_virtual_size_gb: int = 1024, qemu_img: QemuImg | None = None) -> None:
        self._max_virtual_size_gb = max_virtual_size_gb
        self._qemu_img = qemu_img or QemuImg()

    def inspect(self, path: Path, disk_format: str) -> Inspection:
        """See Inspector."""
        try:
            return self._inspect(path, disk_format)
        except ImageInvalid as error:
            raise ImageInvalid(f'The image is refused: {error.message}.') from error

    def _inspect(self, path: Path, disk_format: str) -> Inspection:
        with open(path, 'rb') as opened:
            start = opened.read(qcow2.HEADER_BYTES)
            size_bytes = os.fstat(opened.fileno()).st_size
        if disk_format == QCOW2:
            self._check_qcow2_header(start, size_bytes)
        elif disk_format == RAW:
            self._check_raw_start(start)
        else:
            raise ImageInvalid(f'the format {disk_format!r} is not supported')
        return self._check_with_qemu(path, disk_format, size_bytes)

    def _check_raw_start(self, start: bytes) -> None:
        if not start:
            raise ImageInvalid('it is empty')
        found = [name for offset, magic, name in _FOREIGN if start.startswith(magic, offset)]
        if found or _VMDK_TEXT.match(start):
            raise ImageInvalid(f'it is declared as raw, and its content is {found[0] if found else "vmdk"}')

    def _check_qcow2_header(self, start: bytes, size_bytes: int) -> None:
        try:
            header = qcow2.read_header(start)
        except ValueError as error:
            raise ImageInvalid(f'it is declared as qcow2, and {error}') from error
        for wrong, reason in _objections(header, size_bytes):
            if wrong:
                raise ImageInvalid(reason)
        self._check_virtual_size(header.virtual_size_bytes)

    def _check_virtual_size(self, virtual_size_bytes: int) -> None:
        if virtual_size_bytes > self._max_virtual_size_gb << 30:
            raise ImageInvalid(
                f'its disk has {virtual_size_bytes / (1 << 30):.0f} GB, and {self._max_virtual_size_gb} GB are allowed'
            )
        if virtual_size_bytes <= 0:
            raise ImageInvalid('its disk has no size')

    def _check_with_qemu(self, path: Path, disk_format: str, size_bytes: int) -> Inspection:
        info = self._qemu_img.info(path, disk_format)
        if names_other_files(info):
            raise ImageInvalid('it refers to another file')
        self._check_virtual_size(info['virtual-size'])
        if disk_format == QCOW2:
            self._check_whole(path, size_bytes, info['cluster-size'])
        return Inspection(virtual_size_bytes=info['virtual-size'])

    def _check_whole(self, path: Path, size_bytes: int, cluster_bytes: int) -> None:
        checked = self._qemu_img.check(path, QCOW2)
        end = int(checked.get('image-end-offset', 0))
        if end > -(-size_bytes // cluster_bytes) * cluster_bytes:  # a sound file may end within its last cluster
            raise ImageInvalid(f'it is truncated: {size_bytes} bytes of {end}')


def names_other_files(info: dict[str, Any]) -> bool:
    """Whether the answer of `qemu-img info` mentions a file beside the image."""
    specific = info.get('format-specific', {}).get('data', {})
    return any(info.get(key) for key in ('backing-filename', 'full-backing-filename')) or 'data-file' in specific


def _objections(header: qcow2.Header, size_bytes: int) -> list[tuple[bool, str]]:
    """Everything for which a qcow2 header may be refused, with the reason."""
    features = header.features
    l1_end = header.l1_offset + header.l1_entries * 8
    return [
        (header.backing_offset != 0 or header.backing_length != 0, 'it names a backing file'),
        (bool(features & qcow2.EXTERNAL_DATA), 'it keeps its data in another file'),
        (qcow2.EXTENSION_DATA_FILE in header.extensions, 'it keeps its data in another file'),
        (bool(features & ~qcow2.KNOWN_FEATURES), f'it has features that are not known ({features:#x})'),
        (bool(features & qcow2.CORRUPT), 'it is marked as corrupt'),
        (bool(features & qcow2.DIRTY), 'it was not closed by its writer; "qemu-img check -r all" repairs it'),
        (header.encryption != 0, 'it is encrypted'),
        (not 9 <= header.cluster_bits <= 21, f'its cluster size is 2^{header.cluster_bits}'),
        (max(l1_end, header.refcount_table_offset) > size_bytes, f'it is truncated: {size_bytes} bytes'),
    ]
