"""The fake hypervisor keeps the contract of a driver, and logs what its guests execute."""

import itertools
import threading
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute.virt.driver import Progress, Token
from cloudplane.compute.virt.fake import FakeDriver
from cloudplane.compute.virt.fake_behaviour import ALWAYS
from cloudplane.compute.virt.fake_settings import FakeSettings, settings_from
from cloudplane.compute.virt.fake_state import read_events
from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.exceptions import Cancelled, ConfigurationError, GuestError, GuestNotFound
from cloudplane.images.inspector import ImageInspector
from tests.unit.compute.fake_rows import spec_of

TOKEN = Token(operation_id='op', sequence=3, attempt=1)


def opened(path: Path, host: str = 'host', **settings: object) -> FakeDriver:
    driver = FakeDriver(FakeSettings(**settings), HostSettings(host=host), path)  # type: ignore[arg-type]
    driver.start()
    return driver


def built(driver: FakeDriver, server_id: str = 's', token: Token = TOKEN) -> None:
    spec = spec_of(server_id)
    addresses = driver.make_network(spec)
    driver.make_disk(spec, token, None, Progress())
    driver.make_config_drive(spec, token, addresses)
    driver.start_paused(spec, token, addresses)


def events(path: Path) -> list[tuple[str, str]]:
    return [(event.event, event.why) for event in read_events(path / 'fake-guests.log')]


def test_a_driver_on_the_same_folder_shows_the_same_guests(tmp_path: Path) -> None:
    built(opened(tmp_path))
    guest = opened(tmp_path).guest('s')
    assert guest is not None
    assert (guest.sequence, guest.power_state, guest.committed) == (3, states.POWER_PAUSED, False)


def test_hosts_that_share_a_folder_and_a_log_do_not_share_guests(tmp_path: Path) -> None:
    one, other = opened(tmp_path, 'one'), opened(tmp_path, 'other')
    built(one)
    assert other.guests() == []
    built(other, 't')
    assert {event.host for event in read_events(tmp_path / 'fake-guests.log')} == {'one', 'other'}


def test_starts_and_stops_are_logged_with_the_run_that_they_belong_to(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    built(driver)
    driver.resume('s')
    driver.pause('s')
    driver.power_on('s')
    driver.hard_reboot('s')
    assert driver.soft_reboot('s', 1, Progress())
    driver.die('s')
    driver.power_on('s')
    driver.destroy('s')
    driver.destroy('s')
    assert events(tmp_path) == [
        ('start_paused', 'build'),
        ('resume', 'resume'),
        ('pause', 'pause'),
        ('resume', 'power_on'),
        ('stop', 'hard_reboot'),
        ('start', 'hard_reboot'),
        ('stop', 'soft_reboot'),
        ('start', 'soft_reboot'),
        ('stop', 'died'),
        ('start', 'power_on'),
        ('stop', 'destroy'),
    ]
    logged = read_events(tmp_path / 'fake-guests.log')
    assert all(one.monotonic <= other.monotonic for one, other in itertools.pairwise(logged))
    runs = [event.run_id for event in logged]
    assert len(set(runs)) == 4
    assert runs == sorted(runs, key=runs.index)


def test_a_restarted_driver_logs_the_last_change_of_each_guest_again(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    built(driver)
    driver.resume('s')
    (tmp_path / 'fake-guests.log').unlink()  # killed between the file and the log
    opened(tmp_path)
    assert events(tmp_path) == [('resume', 'resume')]


def test_each_piece_of_a_build_is_made_once(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    built(driver)
    guest = driver.guest('s')
    driver.resume('s')
    built(driver, token=Token(operation_id='op', sequence=3, attempt=2))
    again = driver.guest('s')
    assert guest is not None
    assert again is not None
    assert (again.run_id, again.attempt, again.committed) == (guest.run_id, 2, True)
    assert driver.make_network(spec_of('s')) == driver.make_network(spec_of('s'))


def test_what_was_made_without_a_guest_is_a_leftover_until_it_is_destroyed(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    driver.make_network(spec_of('s'))
    assert driver.guests() == []
    assert driver.leftovers() == {'s'}
    driver.destroy('s')
    assert driver.leftovers() == set()


def test_a_guest_cannot_start_without_its_disk(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match='no disk'):
        opened(tmp_path).start_paused(spec_of('s'), TOKEN, ())


def test_power_calls_for_a_missing_guest_say_so(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    for call in (driver.power_on, driver.resume, driver.hard_reboot, driver.die):
        with pytest.raises(GuestNotFound):
            call('s')


def test_a_guest_that_is_off_cannot_be_resumed(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    built(driver)
    driver.power_off('s', 0, Progress())
    with pytest.raises(GuestError, match='is off'):
        driver.resume('s')


def test_listeners_hear_of_each_change(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    heard: list[str] = []
    driver.listen(heard.append)
    built(driver)
    driver.resume('s')
    driver.die('s')
    driver.destroy('s')
    assert heard == ['s'] * 4


def test_a_copy_is_an_image_that_the_store_accepts(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    built(driver)
    driver.copy_disk('s', tmp_path / 'copy', Progress())
    assert ImageInspector().inspect(tmp_path / 'copy', 'qcow2').virtual_size_bytes == 1 << 30


def test_failures_are_counted_and_delays_end_when_they_are_cancelled(tmp_path: Path) -> None:
    driver = opened(tmp_path, failures={'make_network': 1, 'hard_reboot': ALWAYS}, delays={'make_disk': 30})
    with pytest.raises(GuestError, match='told to fail in make_network'):
        driver.make_network(spec_of('s'))
    assert driver.make_network(spec_of('s'))
    for _ in range(3):
        with pytest.raises(GuestError):
            driver.hard_reboot('s')
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        driver.make_disk(spec_of('s'), TOKEN, None, Progress(cancelled=cancelled))


def test_settings_come_from_the_configuration() -> None:
    class Fake:
        vcpus, memory_mb, disk_gb, path, log = 8, 1024, 10, '/guests', ''
        delays = {'make_disk': '0.5'}
        failures = {'destroy': '-1'}

    assert settings_from(Fake) == FakeSettings(
        vcpus=8, memory_mb=1024, disk_gb=10, path='/guests', delays={'make_disk': 0.5}, failures={'destroy': -1}
    )
    Fake.delays = {'make_disk': 'long'}
    with pytest.raises(ConfigurationError, match='METHOD:NUMBER'):
        settings_from(Fake)
