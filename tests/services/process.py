"""A child process that we own with all its descendants, and that does not outlive us."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

_GUARD = 'read -r _; kill -KILL "-$1"; rm -rf -- "$2"'


class OwnedProcess:
    """A running program. A small guard beside it kills it and removes its folder if we die without saying goodbye."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path, folder: Path) -> None:
        with log.open('ab') as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._guard = subprocess.Popen(
            ['sh', '-c', _GUARD, 'guard', str(self.pid), str(folder)],
            stdin=subprocess.PIPE,  # closed by the kernel when we are gone
            cwd='/',
            start_new_session=True,
        )

    def is_running(self) -> bool:
        """Whether the program itself is there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL the program and all that it started; return when they are gone."""
        pids = family(self.pid) if self.is_running() else []
        for pid in pids:
            _kill(pid)
        self._process.wait()
        _wait_until_gone(pids)
        self._dismiss_guard()

    def stop(self, stop_signal: signal.Signals, timeout_s: float) -> None:
        """Ask the program to end; TimeoutExpired (after a kill) when it does not."""
        if self.is_running():
            pids = family(self.pid)
            self._process.send_signal(stop_signal)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            _wait_until_gone(pids)
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        self._guard.kill()
        self._guard.communicate()


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for member in found:  # grows while it is walked
        found.extend(children.get(member, []))
    return found


def _stat(pid: int) -> list[str]:
    """State, parent and so on of a process; empty when there is none."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_alive(pid: int) -> bool:
    """Whether the process is there; a zombie that its parent does not bury counts as gone."""
    return (_stat(pid) or 'Z')[0] != 'Z'


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_gone(pids: list[int], timeout_s: float = 10) -> None:
    """Wait for processes whose parent may be another one."""
    deadline_s = time.monotonic() + timeout_s
    while left := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f'processes {left} are still there {timeout_s:g} s after they were told to end')
        time.sleep(0.01)
