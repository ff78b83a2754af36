"""The virtual environment of this checkout, .venv: made when it is missing, brought up to date when setup.cfg changed.

A stamp in it says what was installed, and for which setup.cfg. All commands share it: whoever needs more extras adds
them, and nobody takes away what another one needs.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from checkout import CHECKOUT
from checkout.locks import locked
from checkout.programs import Failure, answer, run

FOLDER = CHECKOUT / '.venv'
_STAMP = FOLDER / 'cloudplane-installed.json'
_SOURCES = ('setup.cfg', 'setup.py', 'pyproject.toml')


@dataclass(frozen=True)
class Stamp:
    """What was installed."""

    digest: str  # of the setup.cfg that said what to install
    extras: list[str]


def program(name: str) -> Path:
    """A program of the environment."""
    return FOLDER / 'bin' / name


def is_current(extras: Iterable[str]) -> bool:
    """Whether the environment has these extras, for the setup.cfg of now."""
    stamp = _read_stamp()
    return stamp.digest == _digest() and set(extras) <= set(stamp.extras)


def prepare(extras: Iterable[str], log: Path) -> bool:
    """See that the environment is there with these extras; whether there was something to do."""
    with locked(CHECKOUT / 'setup.cfg'):
        if is_current(extras):
            return False
        _bring_up_to_date(extras, log)
    return True


def _bring_up_to_date(extras: Iterable[str], log: Path) -> None:
    if not _works():
        _make(log)
    wanted = sorted({*extras, *_read_stamp().extras})
    _STAMP.unlink(missing_ok=True)
    selection = f'[{",".join(wanted)}]' if wanted else ''
    pip = [str(program('python')), '-m', 'pip', '--disable-pip-version-check']
    run(
        [*pip, 'install', '--editable', f'.{selection}'], log, cwd=CHECKOUT, environment={'PIP_REQUIRE_VIRTUALENV': '1'}
    )
    part = _STAMP.with_suffix('.part')
    part.write_text(json.dumps(asdict(Stamp(_digest(), wanted))))
    part.rename(_STAMP)


def _works() -> bool:
    """Whether it can be used. It cannot if the checkout was moved, or the Python below it went away."""
    prefix = answer([program('python'), '-c', 'import sys, pip; print(sys.prefix)'])
    return prefix is not None and Path(prefix.strip()) == FOLDER


def _make(log: Path) -> None:
    if FOLDER.is_symlink():
        raise Failure(f'{FOLDER} is a symbolic link: remove it')
    shutil.rmtree(FOLDER, ignore_errors=True)
    run([sys.executable, '-m', 'venv', FOLDER], log, environment={'PATH': os.environ['PATH']})


def _digest() -> str:
    digest = hashlib.sha256(str(CHECKOUT).encode())
    for name in _SOURCES:
        digest.update((CHECKOUT / name).read_bytes())
    return digest.hexdigest()


def _read_stamp() -> Stamp:
    try:
        return Stamp(**json.loads(_STAMP.read_text()))
    except FileNotFoundError:
        return Stamp('', [])
