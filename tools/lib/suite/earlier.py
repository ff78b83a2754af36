"""The stages before the last pytest run: they run, show what they say, and leave a record for replay.py."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkout import CHECKOUT, environment

from suite.stages import Check, Tests

_TAIL_LINES = 40
# A file that cannot be read fails the run, and does not keep the others from running.
_PYTEST = ('--continue-on-collection-errors',)


@dataclass(frozen=True)
class Outcome:
    """What came of one stage."""

    name: str
    status: int
    duration_s: float
    output: str


def environment_of(**extra: object) -> dict[str, str]:
    """The environment of a stage: with the programs of .venv, and without what would choose other things."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(('PYTEST_', 'CLOUDPLANE_TEST_'))
    }
    path = f'{environment.program("")}:{os.environ["PATH"]}'
    return {**inherited, 'PATH': path, **{name: str(value) for name, value in extra.items()}}


def pytest(plugin: str, arguments: Sequence[str]) -> list[str]:
    """The command of a pytest run with one plugin of ours."""
    return [str(environment.program('python')), '-m', 'pytest', '-p', plugin, *_PYTEST, *arguments]


class Ended:
    """The stages that have ended, and their records in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._outcomes: list[Outcome] = []

    @property
    def status(self) -> int:
        """0 if all passed."""
        return int(any(outcome.status for outcome in self._outcomes))

    def check(self, check: Check) -> None:
        """Run a check."""
        program, *arguments = check.command
        outcome = _show(
            check.name, [str(environment.program(program)), *arguments], environment_of(**check.environment)
        )
        self._outcomes.append(outcome)
        self._record(outcome)

    def tests(self, tests: Tests, arguments: Sequence[str]) -> None:
        """Run tests under their other backend."""
        record = self.folder / f'{tests.again_under}.reports'
        outcome = _show(
            f'{tests.name} tests under {tests.again_under}',
            pytest('tools.lib.suite.record', [tests.folder, *arguments]),
            environment_of(CLOUDPLANE_TEST_BACKEND=tests.again_under, CLOUDPLANE_TEST_RECORD=record),
        )
        self._outcomes.append(outcome)
        if outcome.status > 1:  # it was interrupted, or could not collect: no report of a test says so
            self._record(outcome)

    def table(self, title: str) -> str:
        """What came of each, for people."""
        lines = [
            f'  {outcome.name:<34} {"passed" if outcome.status == 0 else "FAILED":<7} {outcome.duration_s:6.1f} s'
            for outcome in self._outcomes
        ]
        return '\n'.join(['', f'Stages {title}:', *(lines or ['  none'])])

    def _record(self, outcome: Outcome) -> None:
        document = {
            'name': outcome.name,
            'status': outcome.status,
            'output': outcome.output,
            'duration_s': outcome.duration_s,
        }
        number = len(self._outcomes)
        (self.folder / f'{number:02}.check').write_text(json.dumps(document))


def _show(name: str, command: Sequence[str], variables: Mapping[str, str]) -> Outcome:
    print(f'\n=== {name}: {" ".join(command)}', flush=True)
    begin_s = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end='', flush=True)
            lines.append(line)
        status = process.wait()
    return Outcome(name, status, time.monotonic() - begin_s, ''.join(lines[-_TAIL_LINES:]))
