"""Calls that block in C (the database, libvirt, hashing) never stall the process: others are served meanwhile.

Each call is held until requests were answered, so the order of things is what is asserted, and not how long they took.
Whoever holds it gives up after a while: a process that stalls then fails its test instead of hanging for ever.
"""

import importlib
import itertools
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import libvirt
import pytest

from cloudplane import concurrency, faultpoints
from cloudplane.compute.settings import host_settings_from
from cloudplane.compute.virt.libvirt.driver import LibvirtDriver
from cloudplane.conductor.db.session import Connection
from cloudplane.objects.image import ACTIVE, Image
from tests.functional.cloud import GIB, Cloud, wait_for
from tests.unit.compute.virt.libvirt.fake_libvirt import FakeConnection

T = TypeVar('T')
GIVE_UP_S = 15.0
REQUESTS = 5
API, SERVERS = '/', '/v2.1/servers'


class Block:
    """Something that a thread of the operating system runs into, and stays in until it is let go.

    What it waits in is C: the interpreter patched or not, it blocks its whole thread, and nothing else.
    """

    def __init__(self) -> None:
        self._gate: Any = importlib.import_module('_queue').SimpleQueue()
        self.entered = self.gave_up = self.left = False

    @property
    def holds(self) -> bool:
        """Whether somebody is in it now."""
        return self.entered and not self.left

    def enter(self) -> None:
        """Stay until `let_go`."""
        self.entered = True
        try:
            self._gate.get(timeout=GIVE_UP_S)
        except importlib.import_module('_queue').Empty:
            self.gave_up = True
        self.left = True

    def let_go(self) -> None:
        """Who is in it, or comes, goes on."""
        self._gate.put(None)


@pytest.fixture
def block() -> Iterator[Block]:
    """A block that nobody stays in for longer than the test."""
    made = Block()
    yield made
    made.let_go()


def in_background(call: Callable[[], T]) -> 'Future[T]':
    """Call it in a thread such as those that serve requests: green under eventlet."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def assert_serves(cloud: Cloud, block: Block, *paths: str) -> None:
    """Several requests are answered while the block holds somebody, and it holds him still."""
    for path in itertools.islice(itertools.cycle(paths), REQUESTS * len(paths)):
        assert cloud.client.request('GET', path).status == 200
        assert block.holds, f'GET {path} was answered only when the call that blocked had ended'
    assert not block.gave_up


@pytest.fixture
def points() -> Iterator[list[str]]:
    """The fault points that are passed."""
    passed: list[str] = []
    faultpoints.set_hook(passed.append)
    yield passed
    faultpoints.set_hook(None)


def test_requests_are_served_while_a_write_waits_for_the_database(
    cloud: Cloud, block: Block, points: list[str]
) -> None:
    body = {'server': {'name': 'server', 'imageRef': cloud.make_image(), 'flavorRef': cloud.make_flavor()}}
    lock_database_in(block, Path(cloud.conf.state_path) / 'cloudplane.sqlite')
    wait_for(lambda: block.holds, 'the lock of the database')
    create = in_background(lambda: cloud.client.request('POST', SERVERS, body))
    wait_for(lambda: 'conductor.accept.commit:before' in points, 'a write that needs the lock')

    assert_serves(cloud, block, API, SERVERS)
    assert not create.done()

    block.let_go()
    assert create.result().status == 202
    cloud.wait_status(create.result().body['server']['id'], 'ACTIVE')


def test_requests_are_served_while_a_query_runs(cloud: Cloud, block: Block) -> None:
    database = cloud.database()

    def slow(conn: Connection) -> Any:
        driver: Any = conn.connection.driver_connection
        driver.create_function('slow', 0, block.enter)
        return conn.exec_driver_sql('SELECT slow(), 1').one()[1]

    query = in_background(lambda: database.read(slow))
    wait_for(lambda: block.holds, 'the query')

    assert_serves(cloud, block, API, SERVERS)
    assert not query.done()

    block.let_go()
    assert query.result() == 1


def test_requests_are_served_while_libvirt_does_not_answer(
    cloud: Cloud, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FakeConnection):
        def listAllDomains(self) -> list[Any]:  # noqa: N802 - libvirt's name
            block.enter()
            return []

    monkeypatch.setattr(libvirt, 'open', lambda _uri: Slow())
    driver = LibvirtDriver.from_conf(cloud.conf, host_settings_from(cloud.conf), cloud.path)
    guests = in_background(driver.guests)
    wait_for(lambda: block.holds, 'the call of libvirt')

    assert_serves(cloud, block, API, SERVERS)
    assert not guests.done()

    block.let_go()
    assert guests.result() == []
    driver.stop()


def test_requests_are_served_while_a_gigabyte_is_hashed(cloud: Cloud) -> None:
    operation_id = str(uuid.uuid4())
    image = cloud.images.create(Image(id=str(uuid.uuid4()), name='large', disk_format='raw', operation_id=operation_id))
    with cloud.images.part_path(image.id, operation_id, 1).open('wb') as part:
        part.truncate(GIB)
    hashed: list[int] = []
    commit = in_background(
        lambda: cloud.images.commit_part(image.id, operation_id, 1, lambda done, _total: hashed.append(done))
    )
    wait_for(lambda: hashed, 'the first piece to be hashed')

    served_at: list[int] = []
    for path in itertools.islice(itertools.cycle((API, SERVERS)), 2 * REQUESTS):
        assert cloud.client.request('GET', path).status == 200
        assert not commit.done(), f'after {len(served_at)} requests it had all been hashed'
        served_at.append(hashed[-1])

    assert len(set(served_at)) > 1, 'the hash did not go on while requests were served'
    assert served_at[-1] < GIB
    assert commit.result().status == ACTIVE


def lock_database_in(block: Block, file: Path) -> None:
    """Hold the write lock of a SQLite file while the block lasts, in a native thread."""

    def hold() -> None:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute('BEGIN IMMEDIATE')
        block.enter()
        connection.rollback()
        connection.close()

    concurrency.start_native_thread(hold, 'lock-holder')
