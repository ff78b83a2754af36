"""What happens side by side, with the interpreter patched: nothing may stop the green threads or wait for ever."""

import pytest

from tests.backends import run_pytest

SIDE_BY_SIDE = ('accept_repeats', 'claims', 'feed', 'reconciler', 'vault')


@pytest.mark.eventlet
def test_the_conductor_works_under_eventlet() -> None:
    run_pytest('eventlet', *(f'tests/unit/conductor/test_{name}.py' for name in SIDE_BY_SIDE))
