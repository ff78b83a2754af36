"""SIGTERM ended nothing for minutes while the database was locked, or a service still waited for it at its start."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.cloud import wait_for, write_config
from tests.functional.process import CHECKOUT, AllInOne, manage

IN_TIME_S = 10.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = write_config(tmp_path, {'DEFAULT': {'call_timeout_s': '2'}, 'fake': {'delays': 'make_network:60'}})
    assert manage(file, 'db', 'upgrade').returncode == 0
    return file


@contextmanager
def locked(config: Path) -> Iterator[None]:
    """Another process holds the database."""
    connection = sqlite3.connect(config.parent / 'state' / 'cloudplane.sqlite', isolation_level=None)
    connection.execute('BEGIN IMMEDIATE')
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize('backend', ['eventlet', 'threading'])
def test_sigterm_ends_it_in_time_while_the_database_is_locked(config: Path, backend: str) -> None:
    process = AllInOne(config, backend).start()
    try:
        with locked(config):
            flavor = {'name': 'f', 'ram': 64, 'vcpus': 1, 'disk': 1}
            assert process.client.request('POST', '/v2.1/flavors', {'flavor': flavor}).status == 503
            assert process._process is not None
            process._process.send_signal(signal.SIGTERM)
            assert process._process.wait(IN_TIME_S) == 1  # the write of the flavor still waits for the lock
    finally:
        process.kill()
    assert 'Timeout (' in process.log()  # with the places where its threads were


@pytest.mark.parametrize('backend', ['eventlet', 'threading'])
def test_sigterm_ends_it_in_time_while_a_guest_is_built(config: Path, backend: str) -> None:
    process = AllInOne(config, backend).start()
    try:
        flavor = {'id': 'f', 'name': 'f', 'ram': 64, 'vcpus': 1, 'disk': 1}
        assert process.client.request('POST', '/v2.1/flavors', {'flavor': flavor}).status == 200
        image = config.with_name('image')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '1M'], check=True)
        made = process.manage('image', 'create', 'i', '--file', str(image)).stdout.strip()
        body = {'server': {'name': 's', 'imageRef': made, 'flavorRef': 'f'}}
        assert process.client.request('POST', '/v2.1/servers', body).status == 202
        wait_for(
            lambda: process.client.get('/v2.1/servers/detail')['servers'][0]['OS-EXT-STS:task_state'] == 'networking',
            'the build to be in its first step',
        )
        assert process.stop() < IN_TIME_S
    finally:
        process.kill()


def test_sigterm_ends_it_in_time_at_its_start(config: Path) -> None:
    with locked(config):
        started = subprocess.Popen(
            [sys.executable, '-m', 'cloudplane.cmd.all_in_one', '--config-file', str(config)],
            cwd=CHECKOUT,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            log = started.stderr
            assert log is not None
            wait_for(lambda: 'answers' in log.readline(), 'the conductor to have started')
            began = time.monotonic()
            started.send_signal(signal.SIGTERM)
            started.communicate(timeout=IN_TIME_S + 5)
            assert time.monotonic() - began < IN_TIME_S
        finally:
            started.kill()
