"""Locks between threads and processes alike: one small file per thing, held by flock.

The kernel gives a dead holder's lock free. Waiting is polling, which is cooperative under eventlet; each holder has a
file description of its own, so that two threads of one process exclude each other as well. Whoever holds a lock may
remove its file: who waited for it notices, and locks the new one.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cloudplane.exceptions import ServiceUnavailable

POLL_S = 0.01


def try_lock(path: Path) -> int | None:
    """Lock `path`, which is created if need be; the file descriptor that holds the lock, or None: somebody has it."""
    lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if try_flock(lock_fd) and is_file_at(lock_fd, path):
        return lock_fd
    os.close(lock_fd)
    return None


def try_flock(fd: int) -> bool:
    """Take the lock of an open file; False: somebody has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_file_at(fd: int, path: Path) -> bool:
    """Whether the open file is still the one that has this name."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    opened = os.fstat(fd)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


@contextlib.contextmanager
def hold(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock at `path`; raises ServiceUnavailable if somebody else keeps it for `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while (lock_fd := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f'The lock {path} is still held by another process after {timeout_s:g} s.')
        time.sleep(POLL_S)
    try:
        yield
    finally:
        os.close(lock_fd)
