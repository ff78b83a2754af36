"""Runs several services in one process until it is told to stop.

oslo.service's launchers fork, or run one service: neither fits an all-in-one, whose services share a transport inside
the process.
"""

import contextlib
import faulthandler
import logging
import os
import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

LOG = logging.getLogger(__name__)

_LAST = (signal.SIGTERM, signal.SIGINT)
# What has not ended by then (a database that is locked, a hypervisor that hangs) is left as by a SIGKILL, which harms
# nothing: the next start goes on from there.
END_S = 9.0


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
        # The interpreter itself writes the number to the pipe. A handler could not: it may run in the middle of
        # anything, where it must not take a lock (logs do), and in eventlet's hub, where it must not write.
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _LAST:
            signal.signal(number, _bound_the_end)
        with self._stack:
            for service in services:
                service.start()
                self._stack.callback(service.stop)
            on_ready()
            LOG.info('Stopping on %s', self._wait().name)
        LOG.info('Stopped')

    def _wait(self) -> signal.Signals:
        while True:
            number = os.read(self._read_fd, 1)[0]
            if number in _LAST:  # others have handlers of their own: SIGUSR2 asks for a report
                return signal.Signals(number)


def _bound_the_end(_number: int, _frame: FrameType | None) -> None:
    """End the process in time, whatever still runs, and show where it was. A thread in C, which takes no lock of ours.

    Not undone when all services have stopped: the interpreter then waits for threads that may be stuck as well.
    """
    for number in _LAST:
        signal.signal(number, lambda _number, _frame: None)  # the first one counts
    faulthandler.dump_traceback_later(END_S, exit=True)
