"""One agent per host: a lock that is held for life, and that the kernel gives free when the agent dies."""

import os
from pathlib import Path

from cloudplane.exceptions import ConfigurationError
from cloudplane.images import file_lock


class AgentLock:
    """The right to act on a host, as a locked file in its state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock; ConfigurationError, with the process that has it, if another agent runs."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = file_lock.try_lock(self._path)
        if self._fd is None:
            raise ConfigurationError(
                f'Another agent{self._holder()} runs with the lock {self._path}. One host has one agent: stop the '
                'other one, or give this one another host name and state_path.'
            )
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f'{os.getpid()}\n'.encode(), 0)

    def release(self) -> None:
        """Give the lock free; again is harmless."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _holder(self) -> str:
        text = self._path.read_text(errors='replace').strip()
        return f' (process {text})' if text.isdigit() else ''
