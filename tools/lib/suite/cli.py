"""The command line of tools/test."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from checkout import CHECKOUT, debian, environment
from checkout.programs import Failure
from checkout.progress import Progress

from suite import earlier, stages

FOLDER = CHECKOUT / 'build' / 'test'
EXTRAS = ('mysql', 'postgresql', 'test')


def main(arguments: Sequence[str]) -> int:
    """Run the stages. Returns the exit status: 0 only if all passed."""
    own, pytest_arguments = _split(arguments)
    chosen = _parser().parse_args(own).stages or list(stages.NAMES)
    begin_s = time.monotonic()
    try:
        return _run(chosen, pytest_arguments, begin_s)
    except Failure as error:
        print(f'\ntools/test: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted', file=sys.stderr)
        return 130


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    if '--' not in arguments:
        return list(arguments), []
    at = list(arguments).index('--')
    return list(arguments[:at]), list(arguments[at + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='tools/test',
        usage='tools/test [-h] [STAGE …] [-- PYTEST-ARGUMENT …]',
        description='Run the checks and the tests of this checkout, after installing what they need (.venv, and as '
        'root the Debian packages). The end of the output is the summary of pytest, which counts all stages.',
    )
    parser.add_argument('stages', nargs='*', type=_stage, metavar='STAGE', help=f'{", ".join(stages.NAMES)}; all')
    return parser


def _stage(name: str) -> str:
    if name not in stages.NAMES:
        raise argparse.ArgumentTypeError(f'there is no stage {name!r}, only {", ".join(stages.NAMES)}')
    return name


def _run(chosen: Sequence[str], pytest_arguments: list[str], begin_s: float) -> int:
    tests = [each for each in stages.TESTS if each.name in chosen]
    _prepare(tests)
    ended = earlier.Ended(FOLDER / 'ended')
    if stages.CHECKS_STAGE in chosen:
        for check in stages.CHECKS:
            ended.check(check)
    for each in tests:
        if each.again_under:
            ended.tests(each, pytest_arguments)
    print(ended.table(f'before the last pytest run, after {time.monotonic() - begin_s:.0f} s'), flush=True)
    return ended.status if not tests else _last_run(tests, ended, pytest_arguments)


def _prepare(tests: list[stages.Tests]) -> None:
    log = FOLDER / 'setup.log'
    progress = Progress(2)
    with progress.step('Debian packages') as step:
        installed = debian.install(stages.packages(tests), log)
        step.result = f'installed {" ".join(installed)}' if installed else 'all there'
    with progress.step('Python environment') as step:
        step.result = 'made' if environment.prepare(EXTRAS, log) else 'up to date'


def _last_run(tests: list[stages.Tests], ended: earlier.Ended, pytest_arguments: list[str]) -> int:
    command = earlier.pytest('tools.lib.suite.replay', [*stages.folders(tests), '--durations=10', *pytest_arguments])
    sys.stdout.flush()
    done = subprocess.run(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, env=earlier.environment_of(CLOUDPLANE_TEST_REPLAY=ended.folder)
    )
    # pytest has counted what failed before; this is for what it was told to leave out.
    return done.returncode or ended.status
