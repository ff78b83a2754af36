"""The connection: reconnecting, and what libvirt's errors become."""

import threading
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from cloudplane.compute.virt.libvirt.connection import Connection, translated
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import GuestError, GuestInvalid, GuestNotFound, HypervisorUnavailable
from tests.unit.compute.virt.libvirt.fake_libvirt import FakeConnection, FakeDaemon
from tests.unit.compute.virt.libvirt.specs import libvirt_error


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> FakeDaemon:
    """What libvirt.open reaches."""
    fake = FakeDaemon()
    monkeypatch.setattr(libvirt, 'open', fake.open)
    return fake


@pytest.fixture
def connection(daemon: FakeDaemon) -> Iterator[Connection]:
    """A connection that gives up soon."""
    made = Connection('test:///', BlockingPool('test', 4), timeout_s=5, keepalive=(7, 8))
    yield made
    made.close()


def test_calls_share_one_connection_that_is_kept_alive(connection: Connection, daemon: FakeDaemon) -> None:
    assert connection.lost_because is not None
    assert connection.call('ask', lambda it: it.ask()) == 'answer'
    assert connection.call('ask', lambda it: it.ask()) == 'answer'
    assert [opened.keepalive for opened in daemon.opened] == [(7, 8)]
    assert connection.lost_because is None


def test_a_call_that_loses_its_connection_begins_again_on_a_new_one(connection: Connection, daemon: FakeDaemon) -> None:
    connection.call('ask', lambda it: it.ask())
    daemon.crash()

    assert connection.call('ask', lambda it: it.ask()) == 'answer'

    assert len(daemon.opened) == 2


def test_a_call_waits_for_a_daemon_that_is_restarted(connection: Connection, daemon: FakeDaemon) -> None:
    connection.call('ask', lambda it: it.ask())
    daemon.up = False
    daemon.crash()
    tried_twice = threading.Event()

    def open_later(_uri: str) -> FakeConnection:
        daemon.up = daemon.attempts > 3
        if daemon.up:
            tried_twice.set()
        return daemon.open(_uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libvirt, 'open', open_later)
        assert connection.call('ask', lambda it: it.ask()) == 'answer'
    assert tried_twice.is_set()


def test_without_a_daemon_the_work_fails_and_says_why(connection: Connection, daemon: FakeDaemon) -> None:
    daemon.up = False
    with pytest.raises(HypervisorUnavailable, match=r'Could not start it.*Failed to connect socket.*libvirtd running'):
        connection.call('start it', lambda it: it.ask(), timeout_s=0)
    assert connection.lost_because == 'Failed to connect socket'


def test_an_error_of_the_work_is_no_reason_to_reconnect(connection: Connection, daemon: FakeDaemon) -> None:
    def fail(_connection: Any) -> None:
        raise libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED, 'no such thing')

    with pytest.raises(GuestError, match='Could not do it: no such thing'):
        connection.call('do it', fail)
    assert len(daemon.opened) == 1


def test_those_who_prepare_and_tidy_see_each_connection_once(daemon: FakeDaemon) -> None:
    seen: list[tuple[str, Any]] = []
    made = Connection(
        'test:///',
        BlockingPool('test', 2),
        timeout_s=5,
        on_open=lambda it: seen.append(('open', it)),
        on_close=lambda it: seen.append(('close', it)),
    )
    made.call('ask', lambda it: it.ask())
    daemon.crash()
    made.revive()
    made.close()
    first, second = daemon.opened
    assert seen == [('open', first), ('close', first), ('open', second), ('close', second)]


def test_a_closed_connection_opens_no_more(connection: Connection, daemon: FakeDaemon) -> None:
    connection.close()
    with pytest.raises(HypervisorUnavailable, match='stopped'):
        connection.call('ask', lambda it: it.ask())
    assert daemon.opened == []


def test_many_threads_open_one_connection(connection: Connection, daemon: FakeDaemon) -> None:
    threads = [threading.Thread(target=connection.call, args=('ask', lambda it: it.ask())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(daemon.opened) == 1


def test_a_connection_that_cannot_even_say_that_it_is_dead_is_dead(connection: Connection, daemon: FakeDaemon) -> None:
    def fail() -> int:
        raise libvirt_error(libvirt.VIR_ERR_INVALID_CONN, 'invalid connection pointer')

    connection.call('ask', lambda it: it.ask())
    daemon.crash()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon.opened[0], 'isAlive', fail)
        assert connection.call('ask', lambda it: it.ask()) == 'answer'


@pytest.mark.parametrize(
    ('code', 'kind'),
    [
        (libvirt.VIR_ERR_NO_DOMAIN, GuestNotFound),
        (libvirt.VIR_ERR_XML_ERROR, GuestInvalid),
        (libvirt.VIR_ERR_XML_DETAIL, GuestInvalid),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, GuestError),
        (libvirt.VIR_ERR_INTERNAL_ERROR, GuestError),
    ],
)
def test_errors_say_what_can_be_done(code: int, kind: type[GuestError]) -> None:
    error = translated(libvirt_error(code, 'the reason'), 'do it')
    assert type(error) is kind
    assert 'Could not do it' in error.message


def test_a_missing_virtlogd_is_named() -> None:
    text = "Failed to connect socket to '/run/libvirt/virtlogd-sock'"
    assert 'Start virtlogd' in translated(libvirt_error(libvirt.VIR_ERR_SYSTEM_ERROR, text), 'start it').message
