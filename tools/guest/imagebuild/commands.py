"""Running other programs, and the one way in which a build fails."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# mkfs, syslinux and their like live in sbin, which is not on the path of everyone who may build an image.
SEARCH_PATH = os.environ.get('PATH', '') + ':/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin'


class BuildError(Exception):
    """The image cannot be built; the message says what to do about it."""


def run(command: Sequence[str | Path], *, cwd: Path | None = None, stdin: bytes = b'') -> str:
    """Run a program and return what it printed; its complaints become the error."""
    words = [str(word) for word in command]
    environment = {**os.environ, 'PATH': SEARCH_PATH, 'LC_ALL': 'C', 'DEBIAN_FRONTEND': 'noninteractive'}
    try:
        done = subprocess.run(words, cwd=cwd, input=stdin, capture_output=True, env=environment)
    except FileNotFoundError as error:
        raise BuildError(f'{words[0]} is not installed') from error
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).decode(errors='replace').strip()
        raise BuildError(f'`{" ".join(words)}` failed with status {done.returncode}: {complaint}')
    return done.stdout.decode(errors='replace')


def as_root(command: Sequence[str | Path]) -> list[str | Path]:
    """The command as root, or in a user namespace where the caller is root: the files he made are root's there."""
    return list(command) if os.geteuid() == 0 else ['unshare', '--map-root-user', *command]


def say(message: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(message, flush=True)
