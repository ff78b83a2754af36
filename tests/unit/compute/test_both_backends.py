"""The agent works with green threads as with plain ones, and does not stall the process."""

from tests.backends import run_pytest


def test_the_agent_works_with_eventlet() -> None:
    names = ('bounded', 'runner', 'operations', 'registration', 'reporter', 'power', 'kills')
    run_pytest('eventlet', *(f'tests/unit/compute/test_{name}.py' for name in names))
