"""A folder store with doubles around it."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudplane.concurrency import BlockingPool
from cloudplane.images.folder import FolderStore
from cloudplane.images.store import ImageStore
from cloudplane.objects.image import RAW, Image
from tests.unit.images.doubles import PROJECT, TickingClock, TrustingInspector


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    """Native threads."""
    pool = BlockingPool('images', 4)
    yield pool
    pool.close()


@pytest.fixture
def inspector() -> TrustingInspector:
    """The inspector of the store."""
    return TrustingInspector()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the store."""
    return tmp_path / 'store'


@pytest.fixture
def reopen(folder: Path, pool: BlockingPool, inspector: TrustingInspector) -> Callable[[], FolderStore]:
    """Opens the store once more, as a process that starts."""
    clock = TickingClock()
    return lambda: FolderStore(folder, pool=pool, inspector=inspector, clock=clock, lock_timeout_s=10)


@pytest.fixture
def store(reopen: Callable[[], FolderStore]) -> ImageStore:
    """The store under test."""
    return reopen()


@pytest.fixture
def new_image() -> Callable[..., Image]:
    """Makes records of raw images of one project."""

    def make(**fields: object) -> Image:
        given = {'id': str(uuid.uuid4()), 'name': 'debian', 'disk_format': RAW, 'owner': PROJECT} | fields
        return Image(**given)  # type: ignore[arg-type]  # the tests name the fields

    return make
