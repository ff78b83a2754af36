"""Processes that outlive this command: recognised again by id and time of birth, and ended."""

import contextlib
import os
import signal
import time
from pathlib import Path

from checkout.programs import Failure

_START_FIELD = 21  # "starttime" in proc(5), counted from 0


def birth(pid: int) -> int:
    """When a process began, in the kernel's ticks since its own start; 0 if there is none."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return 0
    # The second field is the name in parentheses, which may hold anything.
    after_name = text.rpartition(') ')[2].split()
    return 0 if after_name[0] == 'Z' else int(after_name[_START_FIELD - 2])


def lives(pid: int, started: int) -> bool:
    """Whether it is still the process that began then."""
    return pid > 0 and birth(pid) == started != 0


def end(pid: int, started: int, *, what: str, timeout_s: float) -> None:
    """Ask a process to end, and make it if it does not."""
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 10.0)):
        if not lives(pid, started):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline_s = time.monotonic() + patience_s
        while lives(pid, started) and time.monotonic() < deadline_s:
            _reap(pid)
            time.sleep(0.05)
    if lives(pid, started):
        raise Failure(f'{what} (process {pid}) does not end, not even by SIGKILL')


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # it is not ours
        os.waitpid(pid, os.WNOHANG)
