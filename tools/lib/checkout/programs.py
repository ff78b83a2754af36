"""Running other programs: their output goes to a log, and its end into the error."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL_LINES = 25


class Failure(Exception):
    """It cannot go on; the message is for the person at the terminal, and says what to do."""


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a program whose output only matters when it fails."""
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('ab') as output:
        output.write(f'\n$ {" ".join(words)}\n'.encode())
        output.flush()
        begin = output.tell()
        status = _status(words, output.fileno(), {**os.environ, **(environment or {})}, cwd)
    if status != 0:
        raise Failure(f'`{" ".join(words)}` failed with status {status}:\n{tail(log, begin)}\nAll of it: {log}')


def _status(words: Sequence[str], output: int, environment: Mapping[str, str], cwd: Path | None) -> int:
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment), cwd=cwd
        )
    except OSError as error:
        raise Failure(f'{words[0]} cannot be run: {error.strerror}') from error
    return done.returncode


def answer(command: Sequence[str | Path]) -> str | None:
    """What a program prints; None if it fails or is not there."""
    environment = {**os.environ, 'LC_ALL': 'C'}
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            env=environment,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def tail(log: Path, begin: int = 0, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, from `begin` on at most, indented."""
    try:
        with log.open('rb') as opened:
            opened.seek(begin)
            text = opened.read().decode(errors='replace')
    except OSError as error:
        text = f'({log} cannot be read: {error.strerror})'
    return '\n'.join(f'    {line}' for line in text.splitlines()[-lines:])
