"""Runs tests under a concurrency backend, in a process of their own: patching the interpreter cannot be undone."""

import os
import subprocess
import sys
from pathlib import Path

from cloudplane.concurrency import Backend

CHECKOUT = Path(__file__).parent.parent


def run_pytest(backend: Backend, *arguments: str, timeout_s: float = 280) -> None:
    """Run pytest with these arguments, paths relative to the checkout; AssertionError with its output if it fails."""
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', *arguments],
        cwd=CHECKOUT,
        env=os.environ | {'CLOUDPLANE_TEST_BACKEND': backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f'under {backend}: pytest {" ".join(arguments)}\n{done.stdout}'
    assert f'concurrency backend: {backend}' in done.stdout
