"""What every test of the tree shares. First of all the concurrency backend, before anything else is imported.

`CLOUDPLANE_TEST_BACKEND=eventlet pytest …` runs tests with the interpreter patched; without it they run with plain
threads. `tests.backends.run_pytest` does the same from inside a test, in a process of its own.
"""

import os
from typing import cast

from cloudplane import concurrency

concurrency.activate(cast(concurrency.Backend, os.environ.get('CLOUDPLANE_TEST_BACKEND') or 'threading'))

pytest_plugins = ['tests.services.fixtures']


def pytest_report_header() -> str:
    """Say in which mode the tests run."""
    return f'concurrency backend: {concurrency.active_backend()}'
