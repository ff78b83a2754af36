"""Shows how far a command has come, with seconds: one line for each step."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator


class Step:
    """One step, while it runs."""

    def __init__(self) -> None:
        self.result = ''  # what has come of it, for the end of its line


class Progress:
    """The steps of one command, `[1/8]` and so on."""

    def __init__(self, total: int) -> None:
        self._total, self._number = total, 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show one step. On a terminal its seconds are counted while it runs."""
        self._number += 1
        line = f'[{self._number}/{self._total}] {title} …'
        begin_s = time.monotonic()
        ended = threading.Event()
        ticker = threading.Thread(target=_tick, args=(line, begin_s, ended), daemon=True)
        print(line, end='', flush=True)
        if sys.stdout.isatty():
            ticker.start()
        step = Step()
        try:
            yield step
        finally:
            ended.set()
            if ticker.ident is not None:
                ticker.join()
                print(f'\r{line}', end='')
            result = f': {step.result}' if step.result else ''
            print(f' {time.monotonic() - begin_s:.1f} s{result}', flush=True)


def _tick(line: str, begin_s: float, ended: threading.Event) -> None:
    while not ended.wait(1):
        print(f'\r{line} {time.monotonic() - begin_s:.0f} s', end='', flush=True)
