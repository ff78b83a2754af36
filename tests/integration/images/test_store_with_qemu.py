"""The folder store with the real qemu-img: hostile files leave nothing behind, sound ones become images."""

import subprocess
import uuid
from pathlib import Path

import pytest

from cloudplane.images.errors import ImageInvalid
from cloudplane.images.folder import FolderStore
from cloudplane.objects.image import ACTIVE, QCOW2, QUEUED, RAW, SAVING, Image
from tests.backends import run_pytest
from tests.integration.images.hostile import HOSTILE, qemu_img, sound_qcow2

OPERATION = 'b2f3b1e6-5a0c-4f53-9a8b-6f9d4ac1a111'


def new(store: FolderStore, disk_format: str, operation_id: str | None = None) -> Image:
    return store.create(Image(id=str(uuid.uuid4()), disk_format=disk_format, operation_id=operation_id))


def files(store: FolderStore, image: Image, tmp_path: Path) -> set[str]:
    return {path.name.removeprefix(image.id) for path in (tmp_path / 'store').iterdir()} - {'.lock'}


@pytest.mark.parametrize('what', HOSTILE)
def test_a_hostile_file_is_refused_and_leaves_nothing(store: FolderStore, tmp_path: Path, what: str) -> None:
    disk_format, make = HOSTILE[what]
    make(tmp_path / 'file')
    image = new(store, disk_format)
    with pytest.raises(ImageInvalid) as refused:
        store.upload(image.id, tmp_path / 'file')
    print(refused.value.message)
    assert refused.value.message.startswith('The image is refused: ')
    assert str(tmp_path) not in refused.value.message
    assert store.get(image.id).status == QUEUED
    assert files(store, image, tmp_path) == {'.json'}


@pytest.mark.parametrize('what', [name for name, (disk_format, _) in HOSTILE.items() if disk_format == QCOW2])
def test_a_hostile_snapshot_is_refused_and_leaves_nothing(store: FolderStore, tmp_path: Path, what: str) -> None:
    image = new(store, QCOW2, OPERATION)
    HOSTILE[what][1](tmp_path / 'file')
    store.part_path(image.id, OPERATION, 1).write_bytes((tmp_path / 'file').read_bytes())
    with pytest.raises(ImageInvalid):
        store.commit_part(image.id, OPERATION, 1)
    assert store.get(image.id).status == SAVING
    assert files(store, image, tmp_path) == {'.json'}


@pytest.mark.parametrize(
    'options',
    [
        (),
        ('-c',),
        ('-c', '-o', 'compression_type=zstd'),
        ('-o', 'compat=0.10'),
        ('-o', 'cluster_size=512'),
        ('-o', 'cluster_size=2M'),
        ('-o', 'extended_l2=on,cluster_size=128k'),
        ('-o', 'lazy_refcounts=on'),
        ('-o', 'preallocation=metadata'),
    ],
)
def test_every_kind_of_sound_qcow2_is_accepted(store: FolderStore, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / 'disk.raw').write_bytes(b'partition table'.ljust(512, b'\0') * 20000 + bytes(4 << 20))
    qemu_img('convert', '-f', 'raw', '-O', 'qcow2', *options, tmp_path / 'disk.raw', tmp_path / 'disk.qcow2')
    image = store.upload(new(store, QCOW2).id, tmp_path / 'disk.qcow2')
    assert image.status == ACTIVE
    assert image.virtual_size_bytes == (tmp_path / 'disk.raw').stat().st_size
    qemu_img('compare', '-f', 'raw', '-F', 'qcow2', tmp_path / 'disk.raw', store.local_path(image.id))


@pytest.mark.parametrize('size', [1, 511, 512, 1 << 20, (1 << 20) + 1])
def test_a_raw_disk_of_any_size_is_accepted(store: FolderStore, tmp_path: Path, size: int) -> None:
    (tmp_path / 'disk.raw').write_bytes(b'\xeb' * size)
    image = store.upload(new(store, RAW).id, tmp_path / 'disk.raw')
    assert image.virtual_size_bytes == -(-size // 512) * 512


def test_what_qemu_img_writes_at_the_part_path_becomes_the_image(store: FolderStore, tmp_path: Path) -> None:
    sound_qcow2(tmp_path / 'disk')
    image = new(store, QCOW2, OPERATION)
    qemu_img('convert', '-O', 'qcow2', tmp_path / 'disk', store.part_path(image.id, OPERATION, 1))
    assert store.commit_part(image.id, OPERATION, 1).virtual_size_bytes == 1 << 20


def test_a_snapshot_that_is_still_being_written_is_not_believed(store: FolderStore) -> None:
    image = new(store, QCOW2, OPERATION)
    part = store.part_path(image.id, OPERATION, 1)
    sound_qcow2(part)
    writer = ['qemu-io', '-f', 'qcow2', str(part)]
    with subprocess.Popen(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('write 0 512\n')
        process.stdin.flush()
        process.stdout.readline()
        with pytest.raises(ImageInvalid, match='lock'):
            store.commit_part(image.id, OPERATION, 1)
        process.communicate('quit\n')


@pytest.mark.eventlet
def test_the_store_works_with_qemu_under_eventlet() -> None:
    run_pytest('eventlet', 'tests/integration/images', '-m', 'not eventlet')
