"""The requests that are measured, and the clocks beside them."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

import msgspec

from tools.benchmark import meter
from tools.benchmark.client import BenchFailed, Client
from tools.benchmark.figures import median

FLAVOR: Final = {'id': 'bench', 'name': 'bench', 'ram': 64, 'vcpus': 1, 'disk': 1}
TIMEOUT_S: Final = 900  # a thousand real guests are not deleted in less
LIMIT: Final = 1000  # of one page of a list, and so of --count
# Alone: the first look comes when most of the usual time is over, so that looking does not slow down what it looks at.
_FIRST_LOOK: Final = 0.8
_LOOKS: Final = 0.01  # then there is one in each hundredth of the usual time
_LOOK_S: Final = 0.002  # or after this, if that is longer
_LOOK_AT_MANY_S: Final = 0.02  # the same for many, whose usual time is not known: by the time that has passed
_KEPT: Final = 9  # boots from which the usual time is known


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """One server, in seconds since its POST was sent."""

    server_id: str
    answered_s: float
    active_s: float
    looks: int


class Cost(msgspec.Struct, kw_only=True):
    """Processor seconds that a part has cost, by process; the client apart."""

    cpu_s: dict[str, float] = {}
    client_cpu_s: float = 0.0


@contextmanager
def cost_of(pids: Mapping[str, int]) -> Iterator[Cost]:
    """Filled when the block ends."""
    cost = Cost()
    before = {name: meter.cpu_s(pid) for name, pid in pids.items()}
    client_before_s = time.process_time()
    yield cost
    cost.client_cpu_s = time.process_time() - client_before_s
    cost.cpu_s = {name: meter.cpu_s(pid) - before[name] for name, pid in pids.items()}


class Load:
    """One client, or many, of the API at one port."""

    def __init__(self, port: int, image_id: str) -> None:
        self._port, self._image_id = port, image_id
        self._client = Client(port)
        self._recent: list[float] = []

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def prepare(self) -> None:
        """Make the flavor, and see that requests are validated."""
        self._client.expect(200, 'POST', '/v2.1/flavors', json.dumps({'flavor': FLAVOR}).encode())
        self._client.expect(400, 'POST', '/v2.1/servers', b'{"server": {"name": "no image", "unknown": 1}}')

    def _body(self, count: int = 1) -> bytes:
        server = {'name': 'bench', 'imageRef': self._image_id, 'flavorRef': FLAVOR['id']}
        return json.dumps({'server': server | {'min_count': count, 'max_count': count}}).encode()

    # One at a time

    def boot(self) -> Boot:
        """Create a server and wait until it is ACTIVE."""
        begin_s = time.perf_counter()
        answer = self._client.expect(202, 'POST', '/v2.1/servers', self._body())
        answered_s = time.perf_counter() - begin_s
        server_id = str(answer['server']['id'])
        usual_s = median(self._recent) if self._recent else 0.0
        time.sleep(max(0.0, _FIRST_LOOK * usual_s - answered_s))
        looks = 1
        while self._status(server_id) == 'BUILD':
            if time.perf_counter() - begin_s > TIMEOUT_S:
                raise BenchFailed(f'server {server_id} is in BUILD after {TIMEOUT_S} s')
            time.sleep(max(_LOOK_S, _LOOKS * usual_s))
            looks += 1
        active_s = time.perf_counter() - begin_s
        self._recent = [*self._recent, active_s][-_KEPT:]
        return Boot(server_id=server_id, answered_s=answered_s, active_s=active_s, looks=looks)

    def _status(self, server_id: str) -> str:
        server = self._client.expect(200, 'GET', f'/v2.1/servers/{server_id}')['server']
        return _checked(server)

    # Many

    def burst(self, count: int, width: int) -> float:
        """`width` clients that each create a server, wait for it, and go on with the next; seconds for `count`."""
        return _Burst(self._port, self._body(), count, width).run()

    def one_post(self, count: int) -> float:
        """One request for `count` servers; seconds until all are there."""
        begin_s = time.perf_counter()
        self._client.expect(202, 'POST', '/v2.1/servers', self._body(count))
        while building(self._client):
            _check_time(begin_s, 'servers are still in BUILD')
            time.sleep(_pause_s(begin_s))
        return time.perf_counter() - begin_s

    def check_active(self, count: int) -> None:
        """See that there are `count` servers, all ACTIVE."""
        servers = self._client.expect(200, 'GET', f'/v2.1/servers/detail?limit={LIMIT}')['servers']
        states = [_checked(server) for server in servers]
        if states != ['ACTIVE'] * count:
            raise BenchFailed(f'{count} servers should be ACTIVE: {sorted(states)}')

    def delete_all(self, width: int) -> float:
        """Delete all servers, `width` requests at a time; seconds until the last one is gone."""
        ids = [server['id'] for server in self._list()]
        begin_s = time.perf_counter()
        _in_threads(width, lambda: _delete(self._port, ids))
        while self._list():
            _check_time(begin_s, 'deleted servers are still there')
            time.sleep(_pause_s(begin_s))
        return time.perf_counter() - begin_s

    def _list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.expect(200, 'GET', f'/v2.1/servers?limit={LIMIT}')['servers']
        return found


def building(client: Client) -> set[str]:
    """The servers that are not there yet."""
    servers = client.expect(200, 'GET', f'/v2.1/servers?status=BUILD&limit={LIMIT}')['servers']
    return {server['id'] for server in servers}


class _Burst:
    """Many clients, and one who looks for all of them: to be asked by fifty would slow down what is measured."""

    def __init__(self, port: int, body: bytes, count: int, width: int) -> None:
        self._port, self._body, self._width = port, body, width
        self._left = count
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Event] = {}
        self._ended = threading.Event()
        self._end_s = 0.0

    def run(self) -> float:
        """Seconds from the first request until the last server is ACTIVE."""
        begin_s = time.perf_counter()
        watcher = threading.Thread(target=self._watch, args=(begin_s,), daemon=True)
        watcher.start()
        try:
            _in_threads(self._width, self._boot)
        finally:
            self._ended.set()
            watcher.join()
        return self._end_s - begin_s

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _boot(self) -> None:
        with closing(Client(self._port)) as client:
            while self._take():
                server_id = client.expect(202, 'POST', '/v2.1/servers', self._body)['server']['id']
                there = threading.Event()
                with self._lock:
                    self._waiting[server_id] = there
                if not there.wait(TIMEOUT_S):
                    raise BenchFailed(f'server {server_id} is in BUILD after {TIMEOUT_S} s')

    def _watch(self, begin_s: float) -> None:
        with closing(Client(self._port)) as client:
            while not self._ended.wait(_pause_s(begin_s)):
                with self._lock:
                    asked = set(self._waiting)
                if not asked:
                    continue
                for server_id in asked - building(client):
                    self._end_s = time.perf_counter()
                    with self._lock:
                        self._waiting.pop(server_id).set()


def _delete(port: int, ids: list[str]) -> None:
    with closing(Client(port)) as client:
        while True:
            try:
                server_id = ids.pop()
            except IndexError:
                return
            client.expect(204, 'DELETE', f'/v2.1/servers/{server_id}')


def _in_threads(width: int, work: Any) -> None:
    """Run `work` in so many threads; raise what one of them raised."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _pause_s(begin_s: float) -> float:
    """How long to wait before the next look at many."""
    return max(_LOOK_AT_MANY_S, _LOOKS * (time.perf_counter() - begin_s))


def _check_time(begin_s: float, what: str) -> None:
    if time.perf_counter() - begin_s > TIMEOUT_S:
        raise BenchFailed(f'after {TIMEOUT_S} s {what}')


def _checked(server: dict[str, Any]) -> str:
    """The status, which must not be ERROR."""
    if server['status'] == 'ERROR':
        raise BenchFailed(f'a server is in ERROR: {server.get("fault")}')
    return str(server['status'])
