"""The same tests with the interpreter patched: nothing may stop the green threads, and no lock may wait for ever."""

import pytest

from tests.backends import run_pytest


@pytest.mark.eventlet
def test_images_work_under_eventlet() -> None:
    run_pytest('eventlet', 'tests/unit/images', '-m', 'not eventlet')
