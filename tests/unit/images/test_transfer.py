"""Moving bytes: hashing, holes, and errors of the disk."""

import errno
import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest

from cloudplane.concurrency import BlockingPool
from cloudplane.images import transfer
from cloudplane.images.errors import ImageSpaceExhausted
from cloudplane.images.store import no_progress
from cloudplane.images.transfer import Digester, FileReader


class Sips(io.BytesIO):
    """A source that gives little at a time, as a socket does."""

    def read(self, _size: int | None = -1, /) -> bytes:
        """Seven bytes."""
        return super().read(7)


def copied(source: io.BytesIO, path: Path, pool: BlockingPool) -> Digester:
    digester = Digester('sha512', 'md5')
    with open(path, 'wb') as target:
        transfer.copy(source, target.fileno(), digester, pool, progress=no_progress)
    return digester


@pytest.mark.parametrize('data', [b'', b'a', bytes(1000), os.urandom(5000), bytes(1 << 20) + b'x' + bytes(1 << 20)])
def test_a_copy_is_equal_and_hashed(tmp_path: Path, pool: BlockingPool, data: bytes) -> None:
    digester = copied(io.BytesIO(data), tmp_path / 'copy', pool)
    assert (tmp_path / 'copy').read_bytes() == data
    assert digester.size_bytes == len(data)
    assert digester.hex('sha512') == hashlib.sha512(data).hexdigest()
    assert digester.hex('md5') == hashlib.md5(data).hexdigest()


def test_a_source_may_give_little_at_a_time(tmp_path: Path, pool: BlockingPool) -> None:
    copied(Sips(b'0123456789' * 10), tmp_path / 'copy', pool)
    assert (tmp_path / 'copy').read_bytes() == b'0123456789' * 10


def test_a_long_transfer_goes_to_the_disk_on_the_way(
    tmp_path: Path, pool: BlockingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(transfer, 'SYNC_BYTES', 3 * transfer.PIECE_BYTES)
    monkeypatch.setattr(os, 'fdatasync', lambda fd: synced.append(os.fstat(fd).st_size))
    copied(io.BytesIO(b'x' * 7 * transfer.PIECE_BYTES), tmp_path / 'copy', pool)
    assert synced == [3 * transfer.PIECE_BYTES, 6 * transfer.PIECE_BYTES]


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_words(number: int) -> None:
    with pytest.raises(ImageSpaceExhausted, match='no space left'), transfer.space_errors():
        raise OSError(number, os.strerror(number))


def test_a_disk_that_is_full_in_mid_copy_is_said_in_words(pool: BlockingPool) -> None:
    with open('/dev/full', 'wb') as target, pytest.raises(ImageSpaceExhausted):
        transfer.copy(io.BytesIO(b'x'), target.fileno(), Digester(), pool, progress=no_progress)


def test_other_errors_of_the_disk_stay_what_they_are() -> None:
    with pytest.raises(OSError, match='Input/output'), transfer.space_errors():
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_clone_is_equal_or_not_made_at_all(tmp_path: Path) -> None:
    (tmp_path / 'source').write_bytes(b'data' * 4096)
    with open(tmp_path / 'target', 'wb') as target:
        cloned = transfer.clone(tmp_path / 'source', target.fileno())
    assert (tmp_path / 'target').read_bytes() == (b'data' * 4096 if cloned else b'')


def test_a_reader_may_be_closed_twice(tmp_path: Path, pool: BlockingPool) -> None:
    (tmp_path / 'file').write_bytes(b'abc')
    with FileReader(tmp_path / 'file', pool) as reader:
        assert (reader.read(2), reader.read(2), reader.read(2)) == (b'ab', b'c', b'')
        reader.close()


def test_others_run_while_a_large_file_is_hashed(tmp_path: Path, pool: BlockingPool) -> None:
    with open(tmp_path / 'large', 'wb') as large:
        large.truncate(256 << 20)
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    before = ticks
    pool.run(_hash_at_once, tmp_path / 'large')  # as one call: nothing here but the thread lets others run
    during = ticks - before
    done.set()
    thread.join()
    assert during >= 5


def _hash_at_once(path: Path) -> None:
    digester = Digester('sha512', 'md5')
    digester.update(path.read_bytes())
