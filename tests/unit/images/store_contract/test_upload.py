"""What every image store promises of uploads and of reading."""

import hashlib
import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudplane.images.errors import ImageBusy, ImageInvalid, ImageNotActive, ImageNotFound, ImageProtected
from cloudplane.images.store import ImageStore, ImageUpdate
from cloudplane.images.transfer import PIECE_BYTES
from cloudplane.objects.image import ACTIVE, QUEUED, SAVING, Image
from tests.unit.images.doubles import BrokenSource, TrustingInspector

NewImage = Callable[..., Image]
DATA = b'boot sector'.ljust(4096, b'\0') * 300


def read_all(store: ImageStore, image_id: str) -> bytes:
    with store.open(image_id) as reader:
        return b''.join(iter(lambda: reader.read(100_000), b''))


def test_an_uploaded_image_is_active_with_its_sizes_and_digests(store: ImageStore, new_image: NewImage) -> None:
    queued = store.create(new_image())
    image = store.upload(queued.id, io.BytesIO(DATA))
    assert image == store.get(queued.id)
    assert (image.status, image.size_bytes, image.virtual_size_bytes) == (ACTIVE, len(DATA), len(DATA))
    assert image.checksum_sha512 == hashlib.sha512(DATA).hexdigest()
    assert image.checksum_md5 == hashlib.md5(DATA).hexdigest()
    assert read_all(store, image.id) == DATA


def test_a_local_file_is_uploaded_and_stays_as_it_was(store: ImageStore, new_image: NewImage, tmp_path: Path) -> None:
    source = tmp_path / 'disk.raw'
    source.write_bytes(DATA)
    image = store.upload(store.create(new_image()).id, source)
    assert image.checksum_sha512 == hashlib.sha512(DATA).hexdigest()
    assert source.read_bytes() == read_all(store, image.id) == DATA


@pytest.mark.parametrize('size', [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_zeros_come_back_as_zeros(store: ImageStore, new_image: NewImage, size: int) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(bytes(size)))
    assert image.checksum_sha512 == hashlib.sha512(bytes(size)).hexdigest()
    assert read_all(store, image.id) == bytes(size)


def test_progress_grows_to_the_whole(store: ImageStore, new_image: NewImage, tmp_path: Path) -> None:
    source = tmp_path / 'disk.raw'
    source.write_bytes(DATA * 10)
    seen: list[tuple[int, int | None]] = []
    store.upload(store.create(new_image()).id, source, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == (len(DATA) * 10, len(DATA) * 10)


def test_an_image_without_data_cannot_be_read(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    with pytest.raises(ImageNotActive, match='queued'):
        store.open(image.id)
    with pytest.raises(ImageNotActive, match='queued'):
        store.local_path(image.id)


def test_a_refused_upload_can_be_tried_again(
    store: ImageStore, new_image: NewImage, inspector: TrustingInspector
) -> None:
    image = store.create(new_image())
    inspector.refuse_because = 'it names a backing file'
    with pytest.raises(ImageInvalid, match='names a backing file'):
        store.upload(image.id, io.BytesIO(DATA))
    assert store.get(image.id).status == QUEUED
    inspector.refuse_because = None
    assert store.upload(image.id, io.BytesIO(DATA)).status == ACTIVE


def test_a_client_that_goes_away_leaves_the_image_queued(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    with pytest.raises(ConnectionResetError):
        store.upload(image.id, BrokenSource(DATA))
    assert store.get(image.id).status == QUEUED


def test_what_progress_raises_ends_the_upload(store: ImageStore, new_image: NewImage) -> None:
    class Stop(Exception):
        pass

    def stop(_done: int, _total: int | None) -> None:
        raise Stop

    image = store.create(new_image())
    with pytest.raises(Stop):
        store.upload(image.id, io.BytesIO(DATA), stop)
    assert store.get(image.id).status == QUEUED


def test_data_is_never_replaced(store: ImageStore, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    with pytest.raises(ImageBusy, match='active'):
        store.upload(image.id, io.BytesIO(b'other'))
    assert read_all(store, image.id) == DATA


def test_of_two_uploads_at_once_one_wins(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    refused: list[Exception] = []

    def upload_as_well(_done: int, _total: int | None) -> None:
        assert store.get(image.id).status == SAVING
        try:
            store.upload(image.id, io.BytesIO(b'other'))
        except ImageBusy as error:
            refused.append(error)

    assert store.upload(image.id, io.BytesIO(DATA), upload_as_well).status == ACTIVE
    assert len(refused) == 1
    assert read_all(store, image.id) == DATA


def test_an_image_that_is_deleted_while_it_is_uploaded_stays_deleted(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    with pytest.raises(ImageNotFound):
        store.upload(image.id, io.BytesIO(DATA), lambda _done, _total: store.delete(image.id, missing_ok=True))
    with pytest.raises(ImageNotFound):
        store.get(image.id)


def test_an_upload_does_not_end_in_an_image_of_the_same_id_that_was_made_meanwhile(
    store: ImageStore, new_image: NewImage
) -> None:
    image = store.create(new_image())

    def replace(_done: int, _total: int | None) -> None:
        store.delete(image.id)
        store.create(image)

    with pytest.raises(ImageNotFound):
        store.upload(image.id, io.BytesIO(b'one piece'), replace)
    assert store.get(image.id).status == QUEUED


def test_a_change_of_the_record_during_an_upload_is_kept(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())

    def rename(_done: int, _total: int | None) -> None:
        store.update(image.id, ImageUpdate(name='new'))

    store.upload(image.id, io.BytesIO(DATA), rename)
    assert (store.get(image.id).name, store.get(image.id).status) == ('new', ACTIVE)


def test_a_deleted_image_is_gone_but_who_reads_it_reads_on(store: ImageStore, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    with store.open(image.id) as reader:
        store.delete(image.id)
        assert reader.read(len(DATA)) == DATA
    with pytest.raises(ImageNotFound):
        store.open(image.id)
    with pytest.raises(ImageNotFound):
        store.delete(image.id)
    store.delete(image.id, missing_ok=True)


def test_a_protected_image_is_not_deleted(store: ImageStore, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image(protected=True)).id, io.BytesIO(DATA))
    with pytest.raises(ImageProtected):
        store.delete(image.id, missing_ok=True)
    assert read_all(store, image.id) == DATA
    store.update(image.id, ImageUpdate(protected=False))
    store.delete(image.id)


def test_many_images_can_be_uploaded_at_once(store: ImageStore, new_image: NewImage) -> None:
    images = [store.create(new_image()) for _ in range(8)]
    threads = [
        threading.Thread(target=store.upload, args=(image.id, io.BytesIO(DATA + image.id.encode()))) for image in images
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for image in images:
        assert read_all(store, image.id) == DATA + image.id.encode()
