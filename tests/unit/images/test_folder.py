"""The folder store: its files, and what it makes of those that dead processes left."""

import io
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudplane.exceptions import ConfigurationError, ServiceUnavailable
from cloudplane.images import file_lock
from cloudplane.images.errors import ImageBusy, ImageCorrupt, ImageSpaceExhausted
from cloudplane.images.folder import FolderStore
from cloudplane.images.folder_files import FolderFiles, StoredImage
from cloudplane.images.store import ImageQuery
from cloudplane.objects.image import ACTIVE, QUEUED, SAVING, Image
from tests.backends import CHECKOUT

NewImage = Callable[..., Image]
Reopen = Callable[[], FolderStore]
OPERATION = 'b2f3b1e6-5a0c-4f53-9a8b-6f9d4ac1a111'
DATA = b'data' * 1000


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != '.lock'}


def set_status(folder: Path, image: Image, status: str) -> None:
    FolderFiles(folder).write(StoredImage(image=image.evolve(status=status)))


@pytest.fixture
def dying_upload(
    folder: Path, store: FolderStore, new_image: NewImage
) -> Iterator[tuple[Image, subprocess.Popen[str]]]:
    """A process that has uploaded the half of an image, and waits."""
    image = store.create(new_image())
    with subprocess.Popen(
        [sys.executable, '-m', 'tests.unit.images.uploader', str(folder), image.id],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'half\n'
        yield image, process
        process.kill()


def test_an_image_is_a_record_and_a_file_with_its_data(folder: Path, store: FolderStore, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    assert names(folder) == {f'{image.id}.json', f'{image.id}.data'}
    assert store.local_path(image.id) == folder / f'{image.id}.data'
    store.delete(image.id)
    assert list(folder.iterdir()) == []


def test_the_store_survives_being_closed(store: FolderStore, reopen: Reopen, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    queued = store.create(new_image())
    assert reopen().find(ImageQuery()) == [queued, image]


def test_only_the_store_writes_its_data_and_only_those_who_know_a_name_pass(
    folder: Path, store: FolderStore, new_image: NewImage
) -> None:
    image = store.create(new_image(operation_id=OPERATION))
    part = store.part_path(image.id, OPERATION, 1)
    part.write_bytes(DATA)
    part.chmod(0o666)
    store.commit_part(image.id, OPERATION, 1)
    assert stat.S_IMODE(store.local_path(image.id).stat().st_mode) == 0o640
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711


def test_zeros_take_no_space(store: FolderStore, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA + bytes(16 << 20)))
    assert store.local_path(image.id).stat().st_blocks * 512 < 1 << 20


def test_a_path_that_cannot_be_a_folder_is_named(tmp_path: Path, reopen: Reopen, folder: Path) -> None:
    folder.write_text('a file')
    with pytest.raises(ConfigurationError, match=str(folder)):
        reopen()


def test_a_killed_upload_is_swept_and_can_be_done_again(
    folder: Path, reopen: Reopen, dying_upload: tuple[Image, subprocess.Popen[str]]
) -> None:
    image, process = dying_upload
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert f'{image.id}.upload.part' in names(folder)
    store = reopen()
    assert names(folder) == {f'{image.id}.json'}
    assert store.get(image.id).status == QUEUED
    assert store.upload(image.id, io.BytesIO(DATA)).status == ACTIVE


def test_a_killed_upload_can_be_done_again_without_a_sweep(
    store: FolderStore, dying_upload: tuple[Image, subprocess.Popen[str]]
) -> None:
    image, process = dying_upload
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.upload(image.id, io.BytesIO(b'x')).size_bytes == 1


def test_a_living_upload_of_another_process_is_left_alone(
    folder: Path, reopen: Reopen, dying_upload: tuple[Image, subprocess.Popen[str]]
) -> None:
    image, process = dying_upload
    store = reopen()
    assert f'{image.id}.upload.part' in names(folder)
    with pytest.raises(ImageBusy):
        store.upload(image.id, io.BytesIO(DATA))
    process.communicate()
    assert process.returncode == 0
    assert store.get(image.id).size_bytes == len(DATA)


def test_data_without_a_record_is_swept(folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    (folder / f'{image.id}.json').unlink()  # a delete was killed here
    reopen()
    assert list(folder.iterdir()) == []


def test_an_upload_killed_between_data_and_record_is_done_again(
    folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage
) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    set_status(folder, image, SAVING)
    store = reopen()
    assert names(folder) == {f'{image.id}.json'}
    assert store.get(image.id).status == QUEUED


def test_a_snapshot_killed_between_data_and_record_is_written_again(
    folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage
) -> None:
    image = store.create(new_image(operation_id=OPERATION))
    store.part_path(image.id, OPERATION, 2).write_bytes(DATA)
    os.rename(store.part_path(image.id, OPERATION, 2, fresh=False), folder / f'{image.id}.data')
    store = reopen()
    assert store.get(image.id).status == SAVING
    store.part_path(image.id, OPERATION, 2).write_bytes(b'again')
    assert store.commit_part(image.id, OPERATION, 2).size_bytes == 5


def test_the_part_of_the_present_attempt_is_not_swept(
    store: FolderStore, reopen: Reopen, new_image: NewImage, folder: Path
) -> None:
    image = store.create(new_image(operation_id=OPERATION))
    part = store.part_path(image.id, OPERATION, 2)
    part.write_bytes(DATA)
    (folder / f'{image.id}.{OPERATION}.1.part').write_bytes(b'a dead agent')
    (folder / f'{image.id}.json.part').write_bytes(b'{')
    reopen()
    assert names(folder) == {f'{image.id}.json', part.name}


def test_parts_of_an_active_image_are_swept(
    folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage
) -> None:
    image = store.upload(store.create(new_image()).id, io.BytesIO(DATA))
    (folder / f'{image.id}.{OPERATION}.1.part').write_bytes(b'a dead agent')
    reopen()
    assert names(folder) == {f'{image.id}.json', f'{image.id}.data'}
    assert reopen().get(image.id) == image


def test_an_image_that_somebody_works_on_is_not_swept(
    folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage
) -> None:
    image = store.create(new_image())
    (folder / f'{image.id}.json.part').write_bytes(b'{')
    with file_lock.hold(folder / f'{image.id}.lock', timeout_s=1):
        reopen()
        assert f'{image.id}.json.part' in names(folder)


def test_files_of_others_are_left_alone(folder: Path, reopen: Reopen) -> None:
    reopen()
    (folder / 'README').write_text('mine')
    (folder / 'lost+found').mkdir()
    assert reopen().find(ImageQuery()) == []
    assert names(folder) == {'README', 'lost+found'}


def test_a_record_that_cannot_be_read_hides_no_other(
    folder: Path, store: FolderStore, reopen: Reopen, new_image: NewImage, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, sound = store.create(new_image()), store.create(new_image())
    (folder / f'{damaged.id}.json').write_text('{"image": {"id": 5}}')
    store = reopen()
    assert store.find(ImageQuery()) == [sound]
    assert damaged.id in caplog.text
    with pytest.raises(ImageCorrupt, match=damaged.id):
        store.get(damaged.id)


def test_a_lock_that_is_never_given_back_is_named(
    folder: Path, pool: object, inspector: object, new_image: NewImage, store: FolderStore
) -> None:
    image = store.create(new_image())
    impatient = FolderStore(folder, pool=pool, inspector=inspector, lock_timeout_s=0)  # type: ignore[arg-type]  # fixtures
    with file_lock.hold(folder / f'{image.id}.lock', timeout_s=1), pytest.raises(ServiceUnavailable, match=image.id):
        impatient.delete(image.id)


def test_a_record_that_cannot_be_written_leaves_the_image_queued(
    folder: Path, store: FolderStore, new_image: NewImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = store.create(new_image())
    write = FolderFiles.write

    def fail_when_active(self: FolderFiles, stored: StoredImage) -> None:
        if stored.image.status == ACTIVE:
            raise ImageSpaceExhausted
        write(self, stored)

    monkeypatch.setattr(FolderFiles, 'write', fail_when_active)
    with pytest.raises(ImageSpaceExhausted):
        store.upload(image.id, io.BytesIO(DATA))
    assert names(folder) == {f'{image.id}.json'}
    assert store.get(image.id).status == QUEUED
