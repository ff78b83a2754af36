"""A folder store that looks at files with the real qemu-img."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudplane.concurrency import BlockingPool
from cloudplane.images.folder import FolderStore
from cloudplane.images.inspector import ImageInspector


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    """Native threads."""
    pool = BlockingPool('images', 4)
    yield pool
    pool.close()


@pytest.fixture
def store(tmp_path: Path, pool: BlockingPool) -> FolderStore:
    """The store under test."""
    return FolderStore(tmp_path / 'store', pool=pool, inspector=ImageInspector(max_virtual_size_gb=1024))
