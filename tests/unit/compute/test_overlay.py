"""The disks of guests. (That QEMU reads them: tests/integration/images.)"""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudplane.compute.overlay import disk_size_bytes, make_overlay, virtual_size_bytes
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import GuestInvalid
from cloudplane.images import qcow2
from cloudplane.images.errors import FlavorDiskTooSmall, ImageCorrupt

GIB = 1 << 30
OPERATION = 'b2f3b1e6-5a0c-4f53-9a8b-6f9d4ac1a111'


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    """Native threads."""
    pool = BlockingPool('disks', 2)
    yield pool
    pool.close()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base of 2 GiB."""
    path = tmp_path / 'image.qcow2'
    path.write_bytes(qcow2.overlay(2 * GIB, None, ''))
    return path


def make(base: Path | None, target: Path, pool: BlockingPool, *, size_gb: int = 5, attempt: int = 1) -> qcow2.Header:
    make_overlay(base, target, size_gb=size_gb, operation_id=OPERATION, attempt=attempt, pool=pool)
    return qcow2.read_header(target.read_bytes())


def test_a_disk_has_the_size_of_the_flavor_and_stands_on_the_base(
    tmp_path: Path, base: Path, pool: BlockingPool
) -> None:
    header = make(base, tmp_path / 'disk', pool)
    assert header.virtual_size_bytes == 5 * GIB
    content = (tmp_path / 'disk').read_bytes()
    assert content[header.backing_offset :][: header.backing_length] == str(base).encode()
    assert stat.S_IMODE((tmp_path / 'disk').stat().st_mode) == 0o600


def test_a_flavor_without_a_disk_takes_the_size_of_the_image(tmp_path: Path, base: Path, pool: BlockingPool) -> None:
    assert make(base, tmp_path / 'disk', pool, size_gb=0).virtual_size_bytes == 2 * GIB


def test_a_disk_without_an_image_is_empty(tmp_path: Path, pool: BlockingPool) -> None:
    header = make(None, tmp_path / 'disk', pool)
    assert (header.virtual_size_bytes, header.backing_offset) == (5 * GIB, 0)


def test_a_disk_that_exists_is_kept_as_it_is(tmp_path: Path, base: Path, pool: BlockingPool) -> None:
    make(base, tmp_path / 'disk', pool)
    written = (tmp_path / 'disk').read_bytes() + b'what the guest wrote'
    (tmp_path / 'disk').write_bytes(written)
    make(base, tmp_path / 'disk', pool, attempt=2)
    assert (tmp_path / 'disk').read_bytes() == written


def test_part_files_of_the_disk_are_thrown_away_and_others_stay(tmp_path: Path, base: Path, pool: BlockingPool) -> None:
    for name in (f'disk.{OPERATION}.1.part', 'disk.other.7.part', 'disk2.other.7.part'):
        (tmp_path / name).write_bytes(b'half')
    make(base, tmp_path / 'disk', pool, attempt=2)
    assert {path.name for path in tmp_path.iterdir()} == {base.name, 'disk', 'disk2.other.7.part'}


def test_a_flavor_that_is_too_small_is_refused_with_both_sizes(tmp_path: Path, base: Path, pool: BlockingPool) -> None:
    with pytest.raises(FlavorDiskTooSmall, match=r'1 GB \(1073741824 bytes\) against 2\.0 GB \(2147483648 bytes\)'):
        make(base, tmp_path / 'disk', pool, size_gb=1)
    assert list(tmp_path.iterdir()) == [base]


def test_neither_a_disk_in_the_flavor_nor_an_image_is_refused() -> None:
    with pytest.raises(FlavorDiskTooSmall, match='no root disk'):
        disk_size_bytes(None, 0)


def test_a_disk_that_is_too_small_is_so_on_every_host() -> None:
    assert issubclass(FlavorDiskTooSmall, GuestInvalid)
    assert FlavorDiskTooSmall.retryable is False
    assert FlavorDiskTooSmall.code == 400


@pytest.mark.parametrize(('size', 'expected'), [(512, 512), (513, 1024), (1 << 20, 1 << 20)])
def test_a_raw_base_is_counted_in_whole_sectors(tmp_path: Path, size: int, expected: int) -> None:
    (tmp_path / 'image.raw').write_bytes(bytes(size))
    assert virtual_size_bytes(tmp_path / 'image.raw') == expected


def test_a_damaged_base_is_named(tmp_path: Path) -> None:
    (tmp_path / 'image.qcow2').write_bytes(bytes(4096))
    with pytest.raises(ImageCorrupt, match=r'image\.qcow2 is damaged'):
        virtual_size_bytes(tmp_path / 'image.qcow2')
