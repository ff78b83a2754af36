"""Locks between threads and processes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloudplane.exceptions import ServiceUnavailable
from cloudplane.images import file_lock

HOLDER = """
import fcntl, sys
opened = open(sys.argv[1], 'w')
fcntl.flock(opened, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


def test_a_held_lock_is_refused_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / 'lock'
    with file_lock.hold(path, timeout_s=1):
        assert file_lock.try_lock(path) is None
    again = file_lock.try_lock(path)
    assert again is not None
    os.close(again)


def test_waiting_ends_with_the_name_of_the_lock(tmp_path: Path) -> None:
    path = tmp_path / 'lock'
    with (
        file_lock.hold(path, timeout_s=1),
        pytest.raises(ServiceUnavailable, match=str(path)),
        file_lock.hold(path, timeout_s=0.02),
    ):
        pass


def test_a_killed_process_gives_its_lock_back(tmp_path: Path) -> None:
    path = tmp_path / 'lock'
    with subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert file_lock.try_lock(path) is None
        process.kill()
        process.wait()
        with file_lock.hold(path, timeout_s=10):
            pass


def test_who_waited_for_a_lock_that_was_removed_gets_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / 'lock'
    entered = threading.Event()

    def wait_for_it() -> None:
        with file_lock.hold(path, timeout_s=10):
            entered.set()
            assert path.exists()

    with file_lock.hold(path, timeout_s=1):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        path.unlink()
        assert entered.wait(10)
    thread.join()


def test_threads_enter_one_by_one(tmp_path: Path) -> None:
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(20):
            with file_lock.hold(tmp_path / 'lock', timeout_s=60):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
