"""The agent works with green threads as with plain ones, and does not stall the process."""

from tests.backends import run_pytest


def test_the_agent_works_with_eventlet() -> None:
    names = ('bounded', 'runner', 'registration', 'reporter', 'power', 'kills')
    files = [f'tests/unit/compute/test_{name}.py' for name in names]
    run_pytest('eventlet', *files, 'tests/unit/compute/operations')
