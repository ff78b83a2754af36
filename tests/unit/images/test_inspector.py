"""What our own look at a file refuses, and what is made of QEMU's answers. (The real qemu-img: tests/integration.)"""

import struct
from pathlib import Path
from typing import Any

import pytest

from cloudplane.images import qcow2
from cloudplane.images.errors import ImageInvalid
from cloudplane.images.inspector import ImageInspector
from cloudplane.images.qemu_img import QemuImg
from cloudplane.objects.image import QCOW2, RAW

GIB = 1 << 30


class CannedQemuImg(QemuImg):
    """A qemu-img that finds everything sound, but for what it was told."""

    def __init__(self, info: dict[str, Any], check: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._info, self._check = info, check or {}
        self.asked = False

    def info(self, path: Path, disk_format: str) -> dict[str, Any]:
        """The canned answer."""
        self.asked = True
        return {'virtual-size': GIB, 'cluster-size': qcow2.CLUSTER} | self._info

    def check(self, path: Path, disk_format: str) -> dict[str, Any]:
        """The canned answer."""
        return self._check


def refusal(path: Path, disk_format: str, qemu_img: CannedQemuImg) -> str:
    with pytest.raises(ImageInvalid) as refused:
        ImageInspector(max_virtual_size_gb=100, qemu_img=qemu_img).inspect(path, disk_format)
    return refused.value.message


def patched(offset: int, form: str, value: int) -> bytes:
    content = bytearray(qcow2.overlay(GIB, None, ''))
    struct.pack_into(form, content, offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (qcow2.overlay(GIB, '/etc/passwd', 'raw'), 'it names a backing file'),
        (patched(8, '>Q', 200), 'it names a backing file'),
        (patched(16, '>I', 11), 'it names a backing file'),
        (patched(72, '>Q', qcow2.EXTERNAL_DATA), 'it keeps its data in another file'),
        (patched(112, '>I', qcow2.EXTENSION_DATA_FILE), 'it keeps its data in another file'),
        (patched(72, '>Q', 1 << 40), 'it has features that are not known (0x10000000000)'),
        (patched(72, '>Q', qcow2.CORRUPT), 'it is marked as corrupt'),
        (patched(72, '>Q', qcow2.DIRTY), 'it was not closed by its writer; "qemu-img check -r all" repairs it'),
        (patched(32, '>I', 2), 'it is encrypted'),
        (patched(20, '>I', 30), 'its cluster size is 2^30'),
        (patched(40, '>Q', 1 << 50), 'it is truncated: 262144 bytes'),
        (patched(48, '>Q', 1 << 50), 'it is truncated: 262144 bytes'),
        (patched(24, '>Q', 101 * GIB), 'its disk has 101 GB, and 100 GB are allowed'),
        (patched(24, '>Q', (1 << 64) - 512), 'its disk has 17179869184 GB, and 100 GB are allowed'),
        (patched(24, '>Q', 0), 'its disk has no size'),
        (b'just some bytes' * 100, 'it is declared as qcow2, and it has no qcow2 header'),
        (b'', 'it is declared as qcow2, and it ends within the header'),
    ],
)
def test_a_hostile_header_is_refused_before_qemu_sees_it(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / 'image').write_bytes(content)
    qemu_img = CannedQemuImg({'format': QCOW2})
    assert refusal(tmp_path / 'image', QCOW2, qemu_img) == f'The image is refused: {reason}.'
    assert not qemu_img.asked


@pytest.mark.parametrize(
    ('start', 'found'),
    [
        (qcow2.overlay(GIB, None, ''), 'qcow2'),
        (b'KDMV', 'vmdk'),
        (b'# Disk DescriptorFile\nversion=1\n', 'vmdk'),
        (b'# other\r\n\n  \n#\nversion=3\r\n', 'vmdk'),
        (b'Bochs Virtual HD Image', 'bochs'),
        (b'conectix', 'vpc'),
        (b'vhdxfile', 'vhdx'),
        (b'QED\0', 'qed'),
        (b'LUKS\xba\xbe', 'luks'),
        (bytes(64) + b'\x7f\x10\xda\xbe', 'vdi'),
    ],
)
def test_a_raw_disk_that_is_something_else_is_refused(tmp_path: Path, start: bytes, found: str) -> None:
    (tmp_path / 'image').write_bytes(start.ljust(4096, b'\0'))
    assert refusal(tmp_path / 'image', RAW, CannedQemuImg({'format': RAW})) == (
        f'The image is refused: it is declared as raw, and its content is {found}.'
    )


def test_an_empty_raw_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'image').touch()
    assert 'it is empty' in refusal(tmp_path / 'image', RAW, CannedQemuImg({'format': RAW}))


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'image').write_bytes(b'x')
    assert "'vmdk' is not supported" in refusal(tmp_path / 'image', 'vmdk', CannedQemuImg({'format': 'vmdk'}))


@pytest.mark.parametrize(
    ('info', 'check', 'reason'),
    [
        ({'format': QCOW2, 'backing-filename': '/x'}, {}, 'refers to another file'),
        ({'format': QCOW2, 'format-specific': {'type': QCOW2, 'data': {'data-file': '/x'}}}, {}, 'another file'),
        ({'format': QCOW2, 'virtual-size': 101 * GIB}, {}, '101 GB'),
        ({'format': QCOW2}, {'image-end-offset': 5 * qcow2.CLUSTER}, 'truncated: 262144 bytes of 327680'),
    ],
)
def test_what_qemu_finds_is_refused_as_well(
    tmp_path: Path, info: dict[str, Any], check: dict[str, Any], reason: str
) -> None:
    (tmp_path / 'image').write_bytes(qcow2.overlay(GIB, None, ''))
    assert reason in refusal(tmp_path / 'image', QCOW2, CannedQemuImg(info, check))


def test_a_sound_file_may_end_within_its_last_cluster(tmp_path: Path) -> None:
    (tmp_path / 'image').write_bytes(qcow2.overlay(GIB, None, '')[:-1000])
    qemu_img = CannedQemuImg({'format': QCOW2}, {'image-end-offset': 4 * qcow2.CLUSTER})
    assert ImageInspector(qemu_img=qemu_img).inspect(tmp_path / 'image', QCOW2).virtual_size_bytes == GIB
