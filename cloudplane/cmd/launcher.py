"""Runs several services in one process until it is told to stop.

oslo.service's launchers fork, or run one service: neither fits an all-in-one, whose services share a transport inside
the process.
"""

import contextlib
import logging
import os
import select
import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

LOG = logging.getLogger(__name__)


class Runnable(Protocol):
    """What the launcher starts and stops."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Launcher:
    """Starts services in order, and stops them in the opposite one."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)

    def run(self, services: Sequence[Runnable], on_ready: Callable[[], None]) -> None:
        """Run until SIGTERM or SIGINT. What a service raises at its start stops those that had started."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with self._stack:
            for service in services:
                service.start()
                self._stack.callback(service.stop)
            on_ready()
            self._wait()
        LOG.info('Stopped')

    def _wait(self) -> None:
        # A pipe wakes the main thread under both backends; a lock that a signal handler takes could deadlock.
        while not select.select([self._read_fd], [], [])[0]:
            pass

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        LOG.info('Stopping on %s', signal.Signals(number).name)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_fd, b'!')
