"""The three databases, with the interpreter patched: queries wait cooperatively, and nothing waits for ever."""

import pytest

from tests.backends import run_pytest


@pytest.mark.eventlet
def test_the_databases_work_under_eventlet() -> None:
    run_pytest('eventlet', 'tests/integration/database/test_dialects.py')
