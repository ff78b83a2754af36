"""How events travel from libvirt's thread to those who wait."""

import queue
import threading
from collections.abc import Iterator

import libvirt
import pytest

from cloudplane.compute.virt.libvirt import events
from cloudplane.compute.virt.libvirt.events import Event, Events
from tests.unit.compute.virt.libvirt.fake_libvirt import FakeConnection, FakeDomain
from tests.unit.compute.virt.libvirt.specs import SERVER_ID


class Listener:
    """Keeps what it hears; fails when told to."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Event] = queue.Queue()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.fails = False

    def __call__(self, event: Event) -> None:
        self.may_go_on.wait(10)
        self.heard.put(event)
        if self.fails:
            raise RuntimeError('a listener with a defect')


@pytest.fixture
def listener() -> Listener:
    """Somebody who listens."""
    return Listener()


@pytest.fixture
def handed_out(listener: Listener) -> Iterator[Events]:
    """Events that are handed out."""
    made = Events(listener)
    made.start()
    yield made
    made.stop()


def happen(connection: FakeConnection, kind: int, number: int = libvirt.VIR_DOMAIN_EVENT_STOPPED) -> None:
    """Let libvirt tell of something."""
    callback, domain = connection.callbacks[kind], FakeDomain(SERVER_ID)
    if kind == libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE:
        callback(connection, domain, number, 0, None)
    elif kind == libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED:
        callback(connection, domain, {}, None)
    else:
        callback(connection, domain, None)


def test_a_watch_sees_what_happens_to_its_domain(handed_out: Events) -> None:
    connection = FakeConnection()
    handed_out.register(connection)
    with handed_out.watch(SERVER_ID) as watch, handed_out.watch('another') as other:
        happen(connection, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT)
        assert watch.wait(10)
        happen(connection, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED)
        assert watch.wait(10)
        assert watch.saw(events.REBOOTED)
        assert watch.saw(events.JOB_ENDED)
        assert not watch.saw(events.POWER)
        assert not other.wait(0)


def test_a_watch_sees_nothing_of_before(handed_out: Events, listener: Listener) -> None:
    connection = FakeConnection()
    handed_out.register(connection)
    happen(connection, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT)
    assert [listener.heard.get(timeout=10).kind for _ in range(2)] == [events.CONNECTED, events.REBOOTED]
    with handed_out.watch(SERVER_ID) as watch:
        assert not watch.saw(events.REBOOTED)


def test_only_changes_of_power_are_told_as_such(handed_out: Events, listener: Listener) -> None:
    connection = FakeConnection()
    handed_out.register(connection)
    for number in (
        libvirt.VIR_DOMAIN_EVENT_DEFINED,
        libvirt.VIR_DOMAIN_EVENT_STARTED,
        libvirt.VIR_DOMAIN_EVENT_UNDEFINED,
        libvirt.VIR_DOMAIN_EVENT_CRASHED,
    ):
        happen(connection, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, number)
    assert connection.on_close is not None
    connection.on_close(connection, 0, None)
    heard = [listener.heard.get(timeout=10) for _ in range(4)]
    power = Event(events.POWER, SERVER_ID)
    assert heard == [Event(events.CONNECTED), power, power, Event(events.LOST)]


def test_a_listener_that_fails_hears_the_next_event_all_the_same(handed_out: Events, listener: Listener) -> None:
    listener.fails = True
    handed_out.register(FakeConnection())
    handed_out.register(FakeConnection())
    assert [listener.heard.get(timeout=10).kind for _ in range(2)] == [events.CONNECTED, events.CONNECTED]


def test_a_slow_listener_does_not_delay_a_watch(handed_out: Events, listener: Listener) -> None:
    connection = FakeConnection()
    listener.may_go_on.clear()
    handed_out.register(connection)
    with handed_out.watch(SERVER_ID) as watch:
        happen(connection, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT)
        assert watch.wait(10)
    listener.may_go_on.set()


def test_a_dead_connection_is_forgotten(handed_out: Events) -> None:
    connection = FakeConnection()
    handed_out.register(connection)
    connection.alive = False
    handed_out.unregister(connection)
    assert connection.callbacks == {}
    assert connection.on_close is None


def test_an_event_of_our_own_comes_later(handed_out: Events, listener: Listener) -> None:
    handed_out.tell_later(Event(events.SETTLED), 0.01)
    assert listener.heard.get(timeout=10) == Event(events.SETTLED)
