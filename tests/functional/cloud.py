"""A whole cloud in this process, as cloudplane-all-in-one makes it, and a client that speaks HTTP to it."""

import configparser
import contextlib
import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from oslo_config import cfg

from cloudplane.cmd import start, wiring
from cloudplane.conductor.audit import audit
from cloudplane.conductor.db import schema
from cloudplane.conductor.db.session import Database
from cloudplane.images import qcow2
from cloudplane.objects.image import Image
from cloudplane.objects.operation import Difference
from cloudplane.rpc import inproc
from cloudplane.rpc.transport import COMPUTE_TOPIC, CONDUCTOR_TOPIC

T = TypeVar('T')
PATIENCE_S = 20.0
GIB = 1024**3

# Quick where a test waits for something to happen; long where something must not happen on a busy machine. A host
# that should count as down has its last heartbeat moved into the past.
QUICK = {
    'heartbeat_s': '0.3',
    'lease_s': '60',
    'host_down_s': '70',
    'wake_up_s': '0.3,0.5,1',
    'reconcile_s': '0.1',
    'grace_s': '0',
}


class Answer(NamedTuple):
    """An HTTP answer; `body` is decoded JSON, or None."""

    status: int
    headers: http.client.HTTPMessage  # found whatever their case
    body: Any


class Client:
    """Speaks HTTP to one API; one connection per request."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port, self._token = port, token

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send JSON (or raw bytes) and read the answer."""
        sent = dict(headers or {})
        if self._token:
            sent['X-Auth-Token'] = self._token
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault('Content-Type', 'application/json')
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            raw = answer.read()
        return Answer(answer.status, answer.headers, json.loads(raw) if raw else None)

    def get(self, path: str) -> Any:
        """The body of a 200."""
        answer = self.request('GET', path)
        assert answer.status == 200, answer
        return answer.body


class Cloud:
    """API, conductor, scheduler and agent over SQLite, with the fake driver."""

    def __init__(
        self, path: Path, options: Mapping[str, Mapping[str, str]] | None = None, *, host_count: int = 1
    ) -> None:
        self.path, self._host_count = path, host_count
        self._broker = str(uuid.uuid4())
        self.config_file = write_config(path, options or {})
        self.conf: Any = None
        self.api: Any = None
        self.conductor: Any = None
        self.scheduler: Any = None
        self.agents: dict[str, Any] = {}
        self._stack = contextlib.ExitStack()

    def start(self) -> 'Cloud':
        """Make the schema, and start the services in the order of the all-in-one."""
        cfg.CONF.reset()
        self.conf = start.read_configuration(['--config-file', str(self.config_file)], 'test')
        database = wiring.database(self.conf)
        schema.upgrade(database)
        database.close()
        bus = self.bus = wiring.clients(self.conf, f'inproc://{self._broker}')
        self.images = wiring.image_store(self.conf)
        self.conductor = self._run(wiring.conductor(self.conf, bus, self.images))
        self.scheduler = self._run(wiring.scheduler(self.conf, bus))
        self._stack.callback(self._stop_agents)
        for number in range(1, self._host_count + 1):
            self.start_agent(f'host-{number}')
        self.api = self._run(wiring.api(self.conf, bus, self.images))
        self.client = Client(self.api.port)
        wait_for(lambda: self.hosts_up() == set(self.agents), 'the hosts to be up')
        # What the conductor knows, the scheduler hears a moment later.
        wait_for(lambda: self.scheduler.hosts_available() == len(self.agents), 'the scheduler to hear of the hosts')
        return self

    def start_agent(self, host: str) -> None:
        """Start the agent of a host, with a state of its own; the log of what guests do is shared."""
        own = {'host': host, 'state_path': str(self.path / 'state' / host)}
        for option, value in own.items():
            self.conf.set_override(option, value)
        self.conf.set_override('log', str(self.path / 'guests.log'), group='fake')
        agent = wiring.compute(self.conf, self.bus, self.images)
        for option in own:
            self.conf.clear_override(option)
        agent.start()
        self.agents[host] = agent

    def stop_agent(self, host: str) -> None:
        """Stop the agent of a host: to the others it falls silent. Its guests go on."""
        self.agents.pop(host).stop()

    def cut_off(self, host: str) -> None:
        """No message from or to a host arrives any more; its agent works on. Undone by `reconnect`."""
        own = f'"host": "{host}"'

        def interceptor(message: inproc.Message) -> inproc.Verdict:
            asked = message.kind in ('call', 'cast')  # an answer to the API names hosts as well
            from_host = asked and message.topic == CONDUCTOR_TOPIC and own in message.wire
            to_host = message.topic == COMPUTE_TOPIC and message.server == host
            return inproc.DROP if from_host or to_host else inproc.DELIVER

        inproc.broker(self._broker).interceptor = interceptor

    def make_silent(self, host: str) -> None:
        """Let the last heartbeat of a host (that is cut off, or whose agent was stopped) be an hour old."""
        database = self.database()
        database.write(
            lambda conn: conn.exec_driver_sql(
                "UPDATE heartbeats SET last_seen_at = datetime('now', '-1 hour') || '.000000' "
                'WHERE service_id = (SELECT service_id FROM hosts WHERE name = ?)',
                (host,),
            )
        )
        wait_for(lambda: host not in self.hosts_up(), f'{host} to be down')

    def reconnect(self) -> None:
        """All messages arrive again."""
        inproc.broker(self._broker).interceptor = None

    def _stop_agents(self) -> None:
        for host in list(self.agents):
            self.stop_agent(host)

    def stop(self) -> None:
        """Stop what runs, in the opposite order."""
        self._stack.close()

    def __enter__(self) -> 'Cloud':
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _run(self, service: T) -> T:
        service.start()  # type: ignore[attr-defined]  # every service has it
        self._stack.callback(service.stop)  # type: ignore[attr-defined]
        return service

    def hosts_up(self) -> set[str]:
        """The hosts whose agents are up."""
        services = self.client.get('/v2.1/os-services')['services']
        return {
            str(service['host'])
            for service in services
            if service['binary'] == 'cloudplane-compute' and service['state'] == 'up'
        }

    @property
    def driver(self) -> Any:
        """The fake driver of the first host."""
        return self.agents['host-1'].driver

    def guests(self) -> dict[str, str]:
        """Which host has which guest: server -> host."""
        return {guest.server_id: host for host, agent in self.agents.items() for guest in agent.driver.guests()}

    def ran_at_once(self) -> list[str]:
        """Servers that ran twice at the same time, read from what the hosts logged. There must be none."""
        running: dict[str, set[str]] = {}
        twice = []
        log = self.path / 'guests.log'
        for line in log.read_text().splitlines() if log.exists() else ():
            event = json.loads(line)
            runs = running.setdefault(event['server_id'], set())
            if event['event'] in ('start', 'resume'):
                runs.add(event['run_id'])
            elif event['event'] == 'stop':
                runs.discard(event['run_id'])
            if len(runs) > 1:
                twice.append(event['server_id'])
        return twice

    def database(self) -> Database:
        """A connection of the test's own."""
        database = wiring.database(self.conf)
        self._stack.callback(database.close)
        return database

    def audit(self) -> tuple[Difference, ...]:
        """What disagrees."""
        database = wiring.database(self.conf)
        try:
            return audit(database)
        finally:
            database.close()

    # What tests need again and again

    def make_image(self, name: str = 'image') -> str:
        """An active image without content; its id."""
        image = self.images.create(Image(id=str(uuid.uuid4()), name=name, visibility='public'))
        empty = self.path / f'{image.id}.qcow2'
        empty.write_bytes(qcow2.overlay(GIB, None, ''))
        self.images.upload(image.id, empty)
        return str(image.id)

    def make_flavor(self, **fields: Any) -> str:
        """A small flavor; its id."""
        body = {'name': f'f-{uuid.uuid4()}', 'ram': 64, 'vcpus': 1, 'disk': 1} | fields
        answer = self.client.request('POST', '/v2.1/flavors', {'flavor': body})
        assert answer.status == 200, answer
        return str(answer.body['flavor']['id'])

    def boot(self, wait: bool = True, **fields: Any) -> str:
        """Create a server; its id. `wait`: until it is ACTIVE."""
        body = {'name': 'server'} | fields
        if 'imageRef' not in body:
            body['imageRef'] = self.make_image()
        if 'flavorRef' not in body:
            body['flavorRef'] = self.make_flavor()
        answer = self.client.request('POST', '/v2.1/servers', {'server': body})
        assert answer.status == 202, answer
        server_id = str(answer.body['server']['id'])
        if wait:
            self.wait_status(server_id, 'ACTIVE')
        return server_id

    def server(self, server_id: str) -> Any:
        """A server as clients see it; None: it is gone."""
        answer = self.client.request('GET', f'/v2.1/servers/{server_id}')
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return answer.body['server']

    def act(self, server_id: str, action: str, argument: Any = None) -> Answer:
        """Do something to a server; asserts the 202."""
        answer = self.client.request('POST', f'/v2.1/servers/{server_id}/action', {action: argument})
        assert answer.status == 202, answer
        return answer

    def wait_status(self, server_id: str, status: str) -> Any:
        """Wait until a server rests in a status; the server."""

        def reached() -> Any:
            server = self.server(server_id)
            assert server is not None, f'{server_id} is gone'
            assert status == 'ERROR' or server['status'] != 'ERROR', server.get('fault')
            return server if server['status'] == status and server['OS-EXT-STS:task_state'] is None else None

        return wait_for(reached, f'{server_id} to be {status}')

    def wait_gone(self, server_id: str) -> None:
        """Wait until a server is deleted."""
        wait_for(lambda: self.server(server_id) is None, f'{server_id} to be gone')


def write_config(path: Path, options: Mapping[str, Mapping[str, str]]) -> Path:
    """A configuration file with its state below `path`; `options` are added to, or replace, the quick ones."""
    sections: dict[str, dict[str, str]] = {
        'DEFAULT': {'state_path': str(path / 'state'), 'host': 'host-1', 'call_timeout_s': '5'},
        'api': {'port': '0'},
        'compute': {'driver': 'fake'},
        'operations': dict(QUICK),
        'quota': {'instances': '-1', 'cores': '-1', 'ram_mb': '-1'},
    }
    for section, values in options.items():
        sections.setdefault(section, {}).update(values)
    parser = configparser.ConfigParser(interpolation=None)
    for section, values in sections.items():
        parser[section] = values
    path.mkdir(parents=True, exist_ok=True)
    file = path / 'cloudplane.conf'
    with file.open('w') as target:
        parser.write(target)
    return file


def wait_for(condition: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """Wait until `condition` holds; what it returned. AssertionError that names what did not come."""
    end = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f'waited {timeout_s:g} s for {what}'
        time.sleep(0.01)
