"""SIGKILL of the all-in-one in the middle of something, and starting it again: each operation ends as accepted.

Every fault point is struck inside one process by the unit tests of each service; here whole processes die for real.
"""

import http.client
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudplane import concurrency
from cloudplane.conductor.db import schema
from cloudplane.conductor.db.session import Database, DatabaseSettings
from cloudplane.images import qcow2
from tests.functional.cloud import GIB, wait_for, write_config
from tests.functional.process import AllInOne

BUILD_POINTS = [
    'conductor.accept.commit:after',
    'scheduler.decide:before',
    'scheduler.claim:after',
    'conductor.claim.commit:after',
    'compute.build.begin:before',
    'compute.build.begin:after',
    'compute.build.disk:before',
    'compute.build.start:after',
    'conductor.finish.commit:after',
    'compute.build.finish:after',
    'compute.build.resume:before',
    'compute.build.resume:after',
]
SNAPSHOT_POINTS = [
    'compute.snapshot.begin:after',
    'compute.snapshot.copy:before',
    'compute.snapshot.copy:after',
    'compute.snapshot.publish:after',
    'compute.snapshot.finish:after',
]
DELETE_POINTS = [
    'compute.delete.destroy:before',
    'compute.delete.destroy:after',
    'compute.delete.finish:before',
    'compute.delete.finish:after',
]


def spread(points: list[str]) -> list[str]:
    """All points under eventlet, which is the default; under threads a third of them, for time's sake."""
    return points if concurrency.active_backend() == 'eventlet' else points[1::3]


class Machine:
    """One machine with an all-in-one that dies and is started again."""

    def __init__(self, path: Path) -> None:
        self.config = write_config(path, {})
        self.path = path
        (path / 'state').mkdir()
        database = Database(DatabaseSettings(connection=f'sqlite:///{path}/state/cloudplane.sqlite'))
        schema.upgrade(database)
        database.close()
        self.process = AllInOne(self.config, concurrency.active_backend())
        self.image = str(uuid.uuid4())
        file = path / 'image.qcow2'
        file.write_bytes(qcow2.overlay(GIB, None, ''))
        done = self.process.manage('image', 'create', 'image', '--file', str(file), '--id', self.image)
        assert done.stdout.strip() == self.image, done.stderr

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """An answer's body; None when the process died before it answered."""
        try:
            return self.process.client.request(method, path, body)
        except (OSError, ValueError, http.client.HTTPException):  # cut off: in the middle of an answer too
            return None

    def boot(self) -> str:
        """Ask for a server; its id, from the list if the answer did not come."""
        flavor = self.process.client.request(
            'POST', '/v2.1/flavors', {'flavor': {'name': 'f', 'id': 'f', 'ram': 64, 'vcpus': 1, 'disk': 1}}
        )
        assert flavor.status in (200, 409)
        server = {'name': 'server', 'imageRef': self.image, 'flavorRef': 'f'}
        answer = self.request('POST', '/v2.1/servers', {'server': server})
        return str(answer.body['server']['id']) if answer is not None else ''

    def server(self) -> Any:
        """The only server there is, or None."""
        servers = self.process.client.get('/v2.1/servers/detail')['servers']
        assert len(servers) <= 1
        return servers[0] if servers else None

    def wait_active(self) -> str:
        """Wait until the only server is ACTIVE and rests; its id."""

        def resting() -> Any:
            server = self.server()
            assert server is not None, 'the server is lost'
            assert server['status'] != 'ERROR', server['fault']
            return server if server['status'] == 'ACTIVE' and not server['OS-EXT-STS:task_state'] else None

        return str(wait_for(resting, 'the server to be ACTIVE')['id'])

    def die_and_start_again(self) -> None:
        """Wait until it has killed itself; start it without a point to die at."""
        assert self.process.wait_dead(), 'the fault point was not reached\n' + self.process.log()[-3000:]
        self.process.start()

    def check(self, servers: int) -> None:
        """One guest and one allocation for each server, nothing else, and an audit without findings."""
        guests = list((self.path / 'state' / 'fake-guests').rglob('*.json'))
        assert len(guests) == servers, guests
        done = self.process.manage('audit')
        assert done.returncode == 0, done.stdout + done.stderr
        hosts = json.loads(self.process.manage('host', 'list', '--json').stdout)
        assert hosts[0]['servers'] == servers
        assert hosts[0]['memory_mb'].startswith(f'{64 * servers}/')

    def running_intervals(self) -> int:
        """How often a guest ran without having been stopped before: it must never run twice at once."""
        running: set[str] = set()
        lines = (self.path / 'state' / 'fake-guests.log').read_text().splitlines()
        for line in lines:
            event = json.loads(line)
            if event['event'] in ('start', 'resume'):
                running.add(event['run_id'])
            elif event['event'] == 'stop':
                running.discard(event['run_id'])
        return len(running)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose all-in-one is not running yet."""
    made = Machine(tmp_path)
    yield made
    made.process.kill()


@pytest.mark.parametrize('point', spread(BUILD_POINTS))
def test_a_build_ends_active_wherever_it_was_cut(machine: Machine, point: str) -> None:
    machine.process.start(die_at=point)
    machine.boot()
    machine.die_and_start_again()
    machine.wait_active()
    machine.check(servers=1)
    assert machine.running_intervals() == 1


@pytest.mark.parametrize('point', spread(SNAPSHOT_POINTS))
def test_a_snapshot_ends_active_wherever_it_was_cut(machine: Machine, point: str) -> None:
    machine.process.start(die_at=point)
    machine.boot()
    server_id = machine.wait_active()
    machine.request('POST', f'/v2.1/servers/{server_id}/action', {'createImage': {'name': 'snap'}})
    machine.die_and_start_again()
    machine.wait_active()
    images = json.loads(machine.process.manage('image', 'list', '--json').stdout)
    assert [image['status'] for image in images if image['name'] == 'snap'] == ['active']
    assert not list((machine.path / 'state' / 'images').rglob('*.part'))
    machine.check(servers=1)


@pytest.mark.parametrize('point', spread(DELETE_POINTS))
def test_a_delete_ends_wherever_it_was_cut(machine: Machine, point: str) -> None:
    machine.process.start(die_at=point)
    machine.boot()
    server_id = machine.wait_active()
    machine.request('DELETE', f'/v2.1/servers/{server_id}')
    machine.die_and_start_again()
    wait_for(lambda: machine.server() is None, 'the server to be gone')
    machine.check(servers=0)
    assert machine.running_intervals() == 0


def test_sigterm_stops_it_at_once_and_a_second_start_goes_on(machine: Machine) -> None:
    machine.process.start()
    machine.boot()
    machine.wait_active()
    assert machine.process.stop() < 10
    machine.process.start()
    machine.wait_active()
    machine.check(servers=1)


def test_a_second_one_on_the_same_host_is_refused_in_words(machine: Machine) -> None:
    machine.process.start()
    second = AllInOne(machine.config, concurrency.active_backend())
    with pytest.raises(AssertionError, match='another'):
        second.start()
