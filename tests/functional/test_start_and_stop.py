"""How the all-in-one starts, what it says, and how it ends when it is told to."""

import socket
from pathlib import Path

import pytest

from tests.functional.cloud import write_config
from tests.functional.process import AllInOne, manage, run_main


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose database has its schema."""
    file = write_config(tmp_path, {})
    assert manage(file, 'db', 'upgrade').returncode == 0
    return file


@pytest.mark.parametrize('backend', ['eventlet', 'threading'])
def test_sigterm_ends_it_in_order_and_without_a_word_of_trouble(config: Path, backend: str) -> None:
    process = AllInOne(config, backend).start()
    try:
        assert process.stop() < 10
    finally:
        process.kill()
    said = process.log()
    assert ('Stopping on SIGTERM' in said, 'Stopped' in said) == (True, True)
    assert [word for word in ('Traceback', 'ERROR', 'CRITICAL', 'Warning') if word in said] == []


def test_an_address_that_is_taken_is_named(config: Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        refused = run_main('all_in_one', config, environment={'OS_API__PORT': str(port)})
    assert refused.returncode == 1
    assert f'cannot listen on 127.0.0.1:{port}: Address already in use' in refused.stderr
    assert 'Traceback' not in refused.stderr


def test_a_command_says_nothing_but_its_answer(config: Path) -> None:
    answer = manage(config, 'service', 'list')
    assert (answer.stdout, answer.stderr) == ('There are none\n', '')
