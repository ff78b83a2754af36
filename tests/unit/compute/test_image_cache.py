"""The host's cache of base images: one fetch, verified, whoever asks and whoever dies."""

import io
import os
import signal
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudplane.compute.image_cache import ImageCache
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import Cancelled, ConfigurationError
from cloudplane.images.errors import ImageCorrupt, ImageNotActive, ImageNotFound
from cloudplane.images.folder import FolderStore
from cloudplane.images.store import ImageReader
from cloudplane.objects.image import QCOW2, RAW, Image
from tests.backends import CHECKOUT, run_pytest
from tests.unit.images.doubles import TrustingInspector

DATA = b'an operating system' * 1000


class RemoteStore(FolderStore):
    """A store on another machine: it is read, which is counted, and its files cannot be seen."""

    def __init__(self, path: Path, pool: BlockingPool) -> None:
        super().__init__(path, pool=pool, inspector=TrustingInspector())
        self.reads, self.may_read = 0, threading.Event()
        self.may_read.set()

    def local_path(self, image_id: str) -> None:  # type: ignore[override]  # as the contract allows it
        """Not on this machine."""

    def data_path(self, image_id: str) -> Path:
        """Where the data is, for tests."""
        return super().local_path(image_id)

    def open(self, image_id: str) -> ImageReader:
        """See ImageStore."""
        self.reads += 1
        assert self.may_read.wait(60)
        return io.BytesIO(self.data_path(image_id).read_bytes())


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    """Native threads."""
    pool = BlockingPool('images', 4)
    yield pool
    pool.close()


@pytest.fixture
def store(tmp_path: Path, pool: BlockingPool) -> RemoteStore:
    """The store from which is fetched."""
    return RemoteStore(tmp_path / 'store', pool)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the cache."""
    return tmp_path / 'base'


@pytest.fixture
def cache(store: RemoteStore, folder: Path, pool: BlockingPool) -> ImageCache:
    """The cache under test."""
    return ImageCache(store, folder, pool=pool)


@pytest.fixture
def image(store: RemoteStore) -> Image:
    """An active raw image."""
    return upload(store, RAW)


def upload(store: FolderStore, disk_format: str) -> Image:
    record = store.create(Image(id=str(uuid.uuid4()), disk_format=disk_format))
    return store.upload(record.id, io.BytesIO(DATA))


def bases(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix not in ('.lock', '.used')}


@pytest.mark.parametrize('disk_format', [RAW, QCOW2])
def test_a_base_is_a_copy_that_nobody_may_write(
    store: RemoteStore, cache: ImageCache, folder: Path, disk_format: str
) -> None:
    image = upload(store, disk_format)
    base = cache.base(image.id)
    assert base == folder / f'{image.id}.{disk_format}'
    assert base.read_bytes() == DATA
    assert stat.S_IMODE(base.stat().st_mode) == 0o444
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711
    assert bases(folder) == {base.name}


def test_a_store_on_this_machine_is_copied_from(tmp_path: Path, pool: BlockingPool) -> None:
    store = FolderStore(tmp_path / 'store', pool=pool, inspector=TrustingInspector())
    image = upload(store, RAW)
    base = ImageCache(store, tmp_path / 'base', pool=pool).base(image.id)
    assert base.read_bytes() == DATA
    assert not base.samefile(store.local_path(image.id))


def test_an_image_is_fetched_once(store: RemoteStore, cache: ImageCache, image: Image) -> None:
    assert cache.base(image.id) == cache.base(image.id)
    assert store.reads == 1


def test_a_base_that_is_there_needs_no_store(
    store: RemoteStore, cache: ImageCache, image: Image, folder: Path, pool: BlockingPool
) -> None:
    base = cache.base(image.id)
    store.delete(image.id)
    assert ImageCache(store, folder, pool=pool).base(image.id) == base


def test_each_use_is_noted(cache: ImageCache, image: Image, folder: Path) -> None:
    used = folder / f'{image.id}.used'
    base = cache.base(image.id)
    before = base.stat().st_mtime_ns
    os.utime(used, (0, 0))
    cache.base(image.id)
    assert used.stat().st_mtime > 0
    assert base.stat().st_mtime_ns == before


def test_ten_builds_at_once_fetch_once(store: RemoteStore, cache: ImageCache, image: Image) -> None:
    store.may_read.clear()
    results: list[Path] = []
    waiting = threading.Semaphore(0)

    def build() -> None:
        results.append(cache.base(image.id, lambda _done, _total: waiting.release()))

    threads = [threading.Thread(target=build) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert waiting.acquire(timeout=10)  # the nine that wait are told that time goes by
    store.may_read.set()
    for thread in threads:
        thread.join()
    assert store.reads == 1
    assert len(results) == 10
    assert {path.read_bytes() for path in set(results)} == {DATA}


def test_different_images_do_not_wait_for_each_other(store: RemoteStore, cache: ImageCache, image: Image) -> None:
    fetched = cache.base(image.id)
    store.may_read.clear()
    other = upload(store, RAW)
    thread = threading.Thread(target=cache.base, args=(other.id,))
    thread.start()
    assert cache.base(image.id) == fetched
    store.may_read.set()
    thread.join()


def test_a_waiting_build_can_be_cancelled(store: RemoteStore, cache: ImageCache, image: Image) -> None:
    store.may_read.clear()
    thread = threading.Thread(target=cache.base, args=(image.id,))
    thread.start()
    while store.reads == 0:
        pass_time()

    def cancel(_done: int, _total: int | None) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        cache.base(image.id, cancel)
    store.may_read.set()
    thread.join()
    assert cache.base(image.id).read_bytes() == DATA


def pass_time() -> None:
    threading.Event().wait(0.001)


def test_a_cancelled_fetch_leaves_nothing(cache: ImageCache, image: Image, folder: Path) -> None:
    def cancel(done: int, total: int | None) -> None:
        assert (done, total) == (len(DATA), len(DATA))
        raise Cancelled

    with pytest.raises(Cancelled):
        cache.base(image.id, cancel)
    assert bases(folder) == set()
    assert cache.base(image.id).read_bytes() == DATA


def test_wrong_bytes_never_become_a_base(store: RemoteStore, cache: ImageCache, image: Image, folder: Path) -> None:
    store.data_path(image.id).chmod(0o600)
    store.data_path(image.id).write_bytes(DATA[:-1] + b'!')
    with pytest.raises(ImageCorrupt, match=str(image.checksum_sha512)):
        cache.base(image.id)
    assert bases(folder) == set()
    store.data_path(image.id).write_bytes(DATA)
    assert cache.base(image.id).read_bytes() == DATA


def test_an_image_that_is_not_active_is_not_fetched(store: RemoteStore, cache: ImageCache, folder: Path) -> None:
    queued = store.create(Image(id=str(uuid.uuid4())))
    with pytest.raises(ImageNotActive, match='queued'):
        cache.base(queued.id)
    with pytest.raises(ImageNotFound):
        cache.base(str(uuid.uuid4()))
    with pytest.raises(ImageNotFound):
        cache.base('../store/x')
    assert bases(folder) == set()


def test_a_folder_that_cannot_be_made_is_named(store: RemoteStore, tmp_path: Path, pool: BlockingPool) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigurationError, match='file'):
        ImageCache(store, tmp_path / 'file' / 'base', pool=pool)


@pytest.fixture
def fetcher(store: RemoteStore, image: Image, folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has fetched the half of the image, and waits."""
    with subprocess.Popen(
        [sys.executable, '-m', 'tests.unit.compute.image_fetcher', str(tmp_path / 'store'), str(folder), image.id],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'half\n'
        yield process
        process.kill()


def test_a_process_that_is_killed_in_mid_copy_leaves_the_image_to_the_next(
    store: RemoteStore, cache: ImageCache, image: Image, folder: Path, fetcher: subprocess.Popen[str]
) -> None:
    assert bases(folder) == {f'{image.id}.part'}
    fetcher.send_signal(signal.SIGKILL)
    fetcher.wait()
    assert cache.base(image.id).read_bytes() == DATA
    assert bases(folder) == {f'{image.id}.{RAW}'}


def test_what_a_killed_process_left_is_swept_when_the_cache_is_opened(
    store: RemoteStore, folder: Path, pool: BlockingPool, fetcher: subprocess.Popen[str]
) -> None:
    ImageCache(store, folder, pool=pool)
    assert len(bases(folder)) == 1  # its writer lives
    fetcher.send_signal(signal.SIGKILL)
    fetcher.wait()
    ImageCache(store, folder, pool=pool)
    assert bases(folder) == set()


def test_who_waits_for_another_process_gets_what_it_fetched(
    store: RemoteStore, cache: ImageCache, image: Image, fetcher: subprocess.Popen[str]
) -> None:
    def go_on(_done: int, _total: int | None) -> None:
        if fetcher.stdin is not None and not fetcher.stdin.closed:
            fetcher.stdin.write('\n')
            fetcher.stdin.close()

    assert cache.base(image.id, go_on).read_bytes() == DATA
    assert fetcher.wait(10) == 0
    assert store.reads == 0


@pytest.mark.eventlet
def test_the_cache_and_overlays_work_under_eventlet() -> None:
    tests = ('tests/unit/compute/test_image_cache.py', 'tests/unit/compute/test_overlay.py')
    run_pytest('eventlet', *tests, '-m', 'not eventlet')
