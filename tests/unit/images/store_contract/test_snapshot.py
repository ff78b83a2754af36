"""What every image store promises of snapshots, which QEMU writes to a path and an attempt commits."""

import hashlib
import io
from collections.abc import Callable

import pytest

from cloudplane.images.errors import ImageAttemptStale, ImageBusy, ImageInvalid, ImageNotFound
from cloudplane.images.store import ImageStore
from cloudplane.objects.image import ACTIVE, QCOW2, QUEUED, SAVING, Image
from tests.unit.images.doubles import TrustingInspector

NewImage = Callable[..., Image]
OPERATION = 'b2f3b1e6-5a0c-4f53-9a8b-6f9d4ac1a111'
DATA = b'what the guest wrote' * 1000


@pytest.fixture
def image(store: ImageStore, new_image: NewImage) -> Image:
    """The queued image of an operation."""
    return store.create(new_image(disk_format=QCOW2, operation_id=OPERATION))


def test_what_was_written_becomes_the_image(store: ImageStore, image: Image, inspector: TrustingInspector) -> None:
    assert image.status == QUEUED
    path = store.part_path(image.id, OPERATION, 1)
    assert store.get(image.id).status == SAVING
    path.write_bytes(DATA)
    made = store.commit_part(image.id, OPERATION, 1)
    assert made == store.get(image.id)
    assert (made.status, made.size_bytes) == (ACTIVE, len(DATA))
    assert made.checksum_sha512 == hashlib.sha512(DATA).hexdigest()
    assert made.operation_id == OPERATION
    assert inspector.seen == [(path, QCOW2)]
    assert not path.exists()


def test_a_commit_may_be_repeated(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)
    made = store.commit_part(image.id, OPERATION, 1)
    assert store.commit_part(image.id, OPERATION, 1) == made
    assert store.commit_part(image.id, OPERATION, 2) == made


def test_an_active_image_is_not_begun_again(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)
    store.commit_part(image.id, OPERATION, 1)
    with pytest.raises(ImageBusy, match='active'):
        store.part_path(image.id, OPERATION, 2)


def test_a_fresh_begin_finds_nothing_at_its_path(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(b'half')
    assert not store.part_path(image.id, OPERATION, 1).exists()


def test_an_adopted_job_keeps_what_it_wrote(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(b'half')
    assert store.part_path(image.id, OPERATION, 1, fresh=False).read_bytes() == b'half'


def test_a_later_attempt_takes_the_files_of_earlier_ones_away(store: ImageStore, image: Image) -> None:
    first = store.part_path(image.id, OPERATION, 1)
    first.write_bytes(DATA)
    second = store.part_path(image.id, OPERATION, 3, fresh=False)
    assert first != second
    assert not first.exists()


def test_an_earlier_attempt_is_refused_once_a_later_one_has_begun(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 2)
    store.part_path(image.id, OPERATION, 3)
    with pytest.raises(ImageAttemptStale, match='3'):
        store.part_path(image.id, OPERATION, 2)
    with pytest.raises(ImageAttemptStale, match='3'):
        store.commit_part(image.id, OPERATION, 2)


def test_an_attempt_that_is_overtaken_while_it_commits_is_refused(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)

    def overtake(_done: int, _total: int | None) -> None:
        store.part_path(image.id, OPERATION, 2).write_bytes(b'later')

    with pytest.raises(ImageAttemptStale):
        store.commit_part(image.id, OPERATION, 1, overtake)
    assert store.get(image.id).status == SAVING
    made = store.commit_part(image.id, OPERATION, 2)
    assert made.size_bytes == len(b'later')


def test_a_file_that_is_begun_anew_while_it_commits_is_not_believed(store: ImageStore, image: Image) -> None:
    path = store.part_path(image.id, OPERATION, 1)
    path.write_bytes(DATA)

    def begin_anew(_done: int, _total: int | None) -> None:
        store.part_path(image.id, OPERATION, 1).write_bytes(b'half')

    with pytest.raises(ImageAttemptStale):
        store.commit_part(image.id, OPERATION, 1, begin_anew)
    assert path.read_bytes() == b'half'


def test_a_refused_snapshot_leaves_no_file_and_can_be_written_again(
    store: ImageStore, image: Image, inspector: TrustingInspector
) -> None:
    path = store.part_path(image.id, OPERATION, 1)
    path.write_bytes(DATA)
    inspector.refuse_because = 'it is truncated'
    with pytest.raises(ImageInvalid, match='truncated'):
        store.commit_part(image.id, OPERATION, 1)
    assert not path.exists()
    assert store.get(image.id).status == SAVING
    inspector.refuse_because = None
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)
    assert store.commit_part(image.id, OPERATION, 1).status == ACTIVE


def test_committing_nothing_is_refused(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1)
    with pytest.raises(ImageInvalid, match='nothing was written'):
        store.commit_part(image.id, OPERATION, 1)


def test_another_operation_cannot_write_the_image(store: ImageStore, image: Image) -> None:
    with pytest.raises(ImageBusy):
        store.part_path(image.id, 'another', 9)
    with pytest.raises(ImageBusy):
        store.commit_part(image.id, 'another', 9)


def test_a_snapshot_takes_no_upload_and_an_upload_no_snapshot(
    store: ImageStore, image: Image, new_image: NewImage
) -> None:
    with pytest.raises(ImageBusy, match=OPERATION):
        store.upload(image.id, io.BytesIO(DATA))
    with pytest.raises(ImageBusy):
        store.part_path(store.create(new_image()).id, OPERATION, 1)


def test_a_discarded_snapshot_is_gone_with_its_files(store: ImageStore, image: Image) -> None:
    path = store.part_path(image.id, OPERATION, 1)
    path.write_bytes(DATA)
    assert store.discard(image.id, OPERATION) is True
    assert not path.exists()
    with pytest.raises(ImageNotFound):
        store.get(image.id)
    with pytest.raises(ImageNotFound):
        store.commit_part(image.id, OPERATION, 1)
    assert store.discard(image.id, OPERATION) is False


def test_a_snapshot_that_is_discarded_while_it_commits_is_not_made(store: ImageStore, image: Image) -> None:
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)

    def discard(_done: int, _total: int | None) -> None:
        store.discard(image.id, OPERATION)

    with pytest.raises(ImageNotFound):
        store.commit_part(image.id, OPERATION, 1, discard)
    with pytest.raises(ImageNotFound):
        store.get(image.id)


def test_discard_leaves_what_is_active_or_of_another_operation(store: ImageStore, image: Image) -> None:
    assert store.discard(image.id, 'another') is False
    store.part_path(image.id, OPERATION, 1).write_bytes(DATA)
    made = store.commit_part(image.id, OPERATION, 1)
    assert store.discard(image.id, OPERATION) is False
    assert store.get(image.id) == made
