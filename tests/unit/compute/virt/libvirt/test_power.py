"""Asking guests to go, and waiting for them."""

import threading
from collections.abc import Callable
from typing import cast

import pytest

from cloudplane import states
from cloudplane.compute.virt.driver import GuestInfo, Progress
from cloudplane.compute.virt.libvirt import events, power
from cloudplane.compute.virt.libvirt.events import Event, Events
from cloudplane.compute.virt.libvirt.guest import Guest
from cloudplane.exceptions import Cancelled
from tests.unit.compute.virt.libvirt.specs import SERVER_ID


class FakeGuest:
    """A guest that does something when it is asked, and counts."""

    def __init__(self, power_state: int = states.RUNNING) -> None:
        self.power_state = power_state
        self.asked = self.cuts = 0
        self.when_asked: Callable[[], None] = lambda: None

    def info(self) -> GuestInfo:
        on = self.power_state in (states.RUNNING, states.POWER_PAUSED)
        return GuestInfo(
            server_id=SERVER_ID,
            sequence=1,
            operation_id='op',
            attempt=1,
            power_state=self.power_state,
            run_id='1-a' if on else None,
        )

    def press_power_button(self) -> None:
        self.asked += 1
        self.when_asked()

    ask_for_reboot = press_power_button

    def cut_power(self) -> None:
        self.cuts += 1
        self.go_off()

    def go_off(self) -> None:
        """It is off."""
        self.power_state = states.SHUTDOWN


class Feed(Events):
    """Events that a test makes happen; nothing is handed out by itself."""

    def __init__(self) -> None:
        super().__init__(lambda event: None)
        self.start()

    def tell(self, kind: str) -> None:
        """Something happened to the guest."""
        self._inbox.put(Event(kind, SERVER_ID))


@pytest.fixture
def feed() -> Feed:
    """The events."""
    return Feed()


def turn_off(guest: FakeGuest, feed: Events, graceful_s: float, progress: Progress | None = None) -> None:
    """The call under test."""
    power.turn_off(cast(Guest, guest), SERVER_ID, feed, graceful_s, progress or Progress())


def reboot(guest: FakeGuest, feed: Events, timeout_s: float, progress: Progress | None = None) -> bool:
    """The call under test."""
    return power.reboot(cast(Guest, guest), SERVER_ID, feed, timeout_s, progress or Progress())


def test_a_guest_that_listens_is_not_cut_off(feed: Feed) -> None:
    guest = FakeGuest()

    def listen() -> None:
        guest.go_off()
        feed.tell(events.POWER)

    guest.when_asked = listen
    turn_off(guest, feed, 60)
    assert (guest.asked, guest.cuts) == (1, 0)


def test_an_event_that_was_lost_costs_seconds_only(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, '_LOOK_S', 0.05)
    guest = FakeGuest()
    guest.when_asked = guest.go_off
    turn_off(guest, feed, 60)
    assert guest.cuts == 0


def test_a_guest_that_does_not_listen_is_cut_off_in_time(feed: Feed) -> None:
    guest = FakeGuest()
    turn_off(guest, feed, 0.2)
    assert (guest.asked, guest.cuts) == (1, 1)


def test_a_guest_is_asked_again_because_it_may_still_boot(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, '_ASK_AGAIN_S', 0.05)
    guest = FakeGuest()
    turn_off(guest, feed, 0.5)
    assert guest.asked >= 2


@pytest.mark.parametrize(('power_state', 'graceful_s'), [(states.RUNNING, 0), (states.POWER_PAUSED, 60)])
def test_a_guest_that_is_not_or_cannot_be_asked_is_cut_off_at_once(
    feed: Feed, power_state: int, graceful_s: float
) -> None:
    guest = FakeGuest(power_state)
    turn_off(guest, feed, graceful_s)
    assert (guest.asked, guest.cuts) == (0, 1)


def test_a_guest_that_is_off_is_left_alone(feed: Feed) -> None:
    guest = FakeGuest(states.SHUTDOWN)
    turn_off(guest, feed, 60)
    assert (guest.asked, guest.cuts) == (0, 0)


def test_a_newer_operation_ends_the_wait(feed: Feed) -> None:
    guest, cancelled = FakeGuest(), threading.Event()
    guest.when_asked = cancelled.set
    with pytest.raises(Cancelled):
        turn_off(guest, feed, 60, Progress(cancelled=cancelled))
    assert guest.cuts == 0


def test_a_reboot_is_seen(feed: Feed) -> None:
    guest = FakeGuest()
    guest.when_asked = lambda: feed.tell(events.REBOOTED)
    assert reboot(guest, feed, 60)
    assert guest.asked == 1


def test_other_news_is_not_taken_for_a_reboot(feed: Feed) -> None:
    guest = FakeGuest()
    guest.when_asked = lambda: feed.tell(events.POWER)
    assert not reboot(guest, feed, 0.2)


@pytest.mark.parametrize('power_state', [states.SHUTDOWN, states.POWER_PAUSED])
def test_a_guest_that_does_not_run_is_not_asked_to_reboot(feed: Feed, power_state: int) -> None:
    guest = FakeGuest(power_state)
    assert not reboot(guest, feed, 60)
    assert guest.asked == 0


def test_the_wait_for_a_reboot_can_be_cancelled(feed: Feed) -> None:
    guest, cancelled = FakeGuest(), threading.Event()
    guest.when_asked = cancelled.set
    with pytest.raises(Cancelled):
        reboot(guest, feed, 60, Progress(cancelled=cancelled))
