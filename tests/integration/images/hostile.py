"""Files that must never become an image, made by the real qemu-img and then bent: name → (declared format, maker)."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from cloudplane.objects.image import QCOW2, RAW

Maker = Callable[[Path], None]


def qemu_img(*arguments: object) -> None:
    """Run qemu-img."""
    subprocess.run(['qemu-img', *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def sound_qcow2(path: Path) -> None:
    """A small qcow2 with some data in it."""
    source = path.with_name('source.raw')
    source.write_bytes(b'partition table'.ljust(512, b'\0') * 2048)
    qemu_img('convert', '-f', 'raw', '-O', 'qcow2', source, path)
    source.unlink()


def _with_backing(path: Path) -> None:
    base = path.with_name('base.qcow2')
    qemu_img('create', '-f', 'qcow2', base, '1M')
    qemu_img('create', '-f', 'qcow2', '-F', 'qcow2', '-b', base, path)


def _with_json_backing(path: Path) -> None:
    backing = 'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/shadow"}}'
    qemu_img('create', '-f', 'qcow2', '-u', '-F', 'raw', '-b', backing, path, '1M')


def _with_remote_backing(path: Path) -> None:
    qemu_img('create', '-f', 'qcow2', '-u', '-F', 'raw', '-b', 'nbd://192.0.2.1:10809/disk', path, '1M')


def _with_data_file(path: Path) -> None:
    qemu_img('create', '-f', 'qcow2', '-o', f'data_file={path.with_name("data.raw")}', path, '1M')


def _with_raw_data_file(path: Path) -> None:
    options = f'data_file={path.with_name("data.raw")},data_file_raw=on'
    qemu_img('create', '-f', 'qcow2', '-o', options, path, '1M')


def _truncated(path: Path) -> None:
    sound_qcow2(path)
    with open(path, 'r+b') as opened:
        opened.truncate(path.stat().st_size // 2)


def _cut_in_the_header(path: Path) -> None:
    sound_qcow2(path)
    with open(path, 'r+b') as opened:
        opened.truncate(50)


def _created(form: str, *options: str) -> Maker:
    return lambda path: qemu_img('create', '-f', form, *options, path, '1M')


def _sized(size: str) -> Maker:
    return lambda path: qemu_img('create', '-f', 'qcow2', path, size)


def _patched(offset: int, form: str, value: int) -> Maker:
    def make(path: Path) -> None:
        sound_qcow2(path)
        with open(path, 'r+b') as opened:
            opened.seek(offset)
            opened.write(struct.pack(form, value))

    return make


def _wild_l2_pointer(path: Path) -> None:
    """The first entry of the L1 table points far behind the end of the file."""
    sound_qcow2(path)
    with open(path, 'r+b') as opened:
        opened.seek(40)
        (l1_offset,) = struct.unpack('>Q', opened.read(8))
        opened.seek(l1_offset)
        opened.write(struct.pack('>Q', (1 << 63) | (1 << 40)))


def _content(data: bytes) -> Maker:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


HOSTILE: dict[str, tuple[str, Maker]] = {
    'a qcow2 with a backing file': (QCOW2, _with_backing),
    'a qcow2 with a backing file in JSON': (QCOW2, _with_json_backing),
    'a qcow2 with a backing file on the network': (QCOW2, _with_remote_backing),
    'a qcow2 with an external data file': (QCOW2, _with_data_file),
    'a qcow2 with an external raw data file': (QCOW2, _with_raw_data_file),
    'an encrypted qcow2': (QCOW2, _patched(32, '>I', 1)),
    'a truncated qcow2': (QCOW2, _truncated),
    'a qcow2 that ends in its header': (QCOW2, _cut_in_the_header),
    'a qcow2 of 8 TB': (QCOW2, _sized('8T')),
    'a qcow2 of 2^63 bytes': (QCOW2, _patched(24, '>Q', 1 << 63)),
    'a qcow2 marked as corrupt': (QCOW2, _patched(72, '>Q', 2)),
    'a qcow2 with an unknown feature': (QCOW2, _patched(72, '>Q', 1 << 20)),
    'a qcow2 of version 9': (QCOW2, _patched(4, '>I', 9)),
    'a qcow2 with an L1 table of 2^32 entries': (QCOW2, _patched(36, '>I', (1 << 32) - 1)),
    'a qcow2 with a wild pointer': (QCOW2, _wild_l2_pointer),
    'a qcow2 with a refcount table of 2^31 clusters': (QCOW2, _patched(56, '>I', 1 << 31)),
    'a raw disk declared as qcow2': (QCOW2, _content(b'boot'.ljust(4096, b'\0'))),
    'a vmdk declared as qcow2': (QCOW2, _created('vmdk')),
    'a qcow2 declared as raw': (RAW, sound_qcow2),
    'a qcow2 with a backing file declared as raw': (RAW, _with_backing),
    'a vmdk declared as raw': (RAW, _created('vmdk')),
    'a vmdk descriptor declared as raw': (RAW, _created('vmdk', '-o', 'subformat=monolithicFlat')),
    'a vmdk descriptor with other comments declared as raw': (
        RAW,
        _content(b'# a comment\n\nversion=1\nRW 2048 FLAT "/etc/shadow" 0\n'),
    ),
    'a vdi declared as raw': (RAW, _created('vdi')),
    'a vhd declared as raw': (RAW, _created('vpc')),
    'a vhdx declared as raw': (RAW, _created('vhdx')),
    'a qed declared as raw': (RAW, _created('qed')),
    'a luks volume declared as raw': (RAW, _content(b'LUKS\xba\xbe\0\1'.ljust(4096, b'\0'))),
    'an empty file declared as raw': (RAW, _content(b'')),
    'an empty file declared as qcow2': (QCOW2, _content(b'')),
}
