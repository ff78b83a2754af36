"""The libvirt driver against a real libvirtd and real guests.

Most guests here have an empty disk: what has nothing to boot is started, marked, copied and destroyed all the same.
"""

import itertools
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudplane import states
from cloudplane.compute.virt.driver import GuestInfo, Progress, Token
from cloudplane.compute.virt.host_settings import HostSettings
from cloudplane.compute.virt.libvirt import snapshot
from cloudplane.compute.virt.libvirt.driver import LibvirtDriver
from cloudplane.compute.virt.libvirt.settings import LibvirtSettings
from cloudplane.exceptions import Cancelled, ConfigurationError, GuestError, GuestNotFound
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address
from tests.backends import run_pytest
from tests.services.libvirtd import Network, PrivateLibvirtd
from tests.unit.compute.virt.libvirt.specs import guest_spec, token

pytestmark = pytest.mark.real

BOOT_S = 90  # many times what an emulated CPU needs on an idle machine
MakeDriver = Callable[..., LibvirtDriver]


@pytest.fixture
def make_driver(libvirtd: PrivateLibvirtd, network: Network, state_path: Path) -> Iterator[MakeDriver]:
    """Makes drivers of one host or of several; in the end nothing of theirs may be left."""
    made: list[LibvirtDriver] = []

    def make(host: str = 'h1', **changes: Any) -> LibvirtDriver:
        settings: dict[str, Any] = {'uri': libvirtd.uri, 'network_name': network.name, 'network_bridge': network.bridge}
        settings |= {'network_cidr': network.cidr} | changes
        driver = LibvirtDriver(LibvirtSettings(**settings), HostSettings(host=host), state_path / host)
        driver.start()
        made.append(driver)
        return driver

    yield make
    for driver in made:
        for server_id in driver.leftovers():
            driver.destroy(server_id)
        assert driver.leftovers() == set()
        driver.stop()


@pytest.fixture
def driver(make_driver: MakeDriver) -> LibvirtDriver:
    """The driver of one host."""
    return make_driver()


def new_spec(**changes: Any) -> GuestSpec:
    """A guest of a server of its own."""
    return guest_spec(server_id=str(uuid.uuid4()), **changes)


def build(
    driver: LibvirtDriver, spec: GuestSpec, work: Token | None = None, base: Path | None = None
) -> tuple[Address, ...]:
    """Build a guest up to where it is paused."""
    work = work or token()
    addresses = driver.make_network(spec)
    driver.make_disk(spec, work, base, Progress())
    driver.make_config_drive(spec, work, addresses)
    driver.start_paused(spec, work, addresses)
    return addresses


def boot(driver: LibvirtDriver, base: Path | None = None, **changes: Any) -> GuestSpec:
    """Build a guest and let it run."""
    spec = new_spec(**changes)
    build(driver, spec, base=base)
    driver.resume(spec.server_id)
    return spec


def look(driver: LibvirtDriver, spec: GuestSpec) -> GuestInfo:
    """The guest, which must be there."""
    info = driver.guest(spec.server_id)
    assert info is not None
    return info


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = 20) -> None:
    """Wait for something that will come."""
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, f'{what}: not within {timeout_s:g} s'
        time.sleep(0.05)


def wait_until_ready(driver: LibvirtDriver, spec: GuestSpec, times: int = 1) -> tuple[str, str]:
    """The name and the address that the guest says on its console when it is ready, for the nth time."""
    pattern = re.compile(r'^cloudplane guest ready: (\S+) (\S+)', re.MULTILINE)

    def found() -> list[tuple[str, str]]:
        return pattern.findall(driver.console_log(spec.server_id, None))

    wait_until(lambda: len(found()) >= times, f'the guest is ready {times} times', BOOT_S)
    return found()[-1]


def image_info(path: Path) -> str:
    """What qemu-img says of an image."""
    return subprocess.run(['qemu-img', 'info', str(path)], check=True, capture_output=True, text=True).stdout


# Builds and their end


def test_a_guest_is_paused_until_it_is_let_run_and_leaves_nothing(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd, state_path: Path
) -> None:
    spec, work = new_spec(), token(sequence=3, attempt=2)
    (address,) = build(driver, spec, work)

    paused = look(driver, spec)
    assert (paused.power_state, paused.committed) == (states.POWER_PAUSED, False)
    assert (paused.sequence, paused.operation_id, paused.attempt) == (3, work.operation_id, 2)

    driver.resume(spec.server_id)
    driver.resume(spec.server_id)
    running = look(driver, spec)
    assert (running.power_state, running.committed, running.run_id) == (states.RUNNING, True, paused.run_id)
    assert driver.guests() == [running]
    assert driver.leftovers() == {spec.server_id}
    assert libvirtd.names('list', '--autostart', '--all') == []

    driver.destroy(spec.server_id)
    assert driver.guest(spec.server_id) is None
    assert driver.leftovers() == set()
    assert libvirtd.names('list', '--all') == []
    assert list((state_path / 'h1' / 'instances').iterdir()) == []
    assert driver.make_network(new_spec())[0].address == address.address
    driver.destroy(spec.server_id)


def test_a_build_that_comes_again_adopts_its_guest(driver: LibvirtDriver) -> None:
    spec, first = new_spec(), token(attempt=1)
    addresses = build(driver, spec, first)
    before = look(driver, spec)
    second = Token(operation_id=first.operation_id, sequence=first.sequence, attempt=2)

    assert build(driver, spec, second) == addresses
    after = look(driver, spec)
    assert (after.run_id, after.attempt) == (before.run_id, 2)

    driver.resume(spec.server_id)
    build(driver, spec, second)
    assert look(driver, spec).power_state == states.RUNNING
    assert look(driver, spec).committed


def test_a_guest_of_an_older_build_is_replaced_and_a_newer_one_is_kept(driver: LibvirtDriver) -> None:
    spec = new_spec()
    build(driver, spec, token(sequence=1))
    older = look(driver, spec)
    build(driver, spec, token(sequence=2))
    newer = look(driver, spec)
    assert (newer.sequence, newer.committed) == (2, False)
    assert newer.run_id != older.run_id
    with pytest.raises(GuestError, match='newer build'):
        build(driver, spec, token(sequence=1))
    assert look(driver, spec) == newer


def test_a_guest_that_was_defined_and_not_started_is_started(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec, work = new_spec(), token()
    build(driver, spec, work)
    assert libvirtd.virsh('destroy', spec.server_id).returncode == 0
    build(driver, spec, work)
    assert look(driver, spec).power_state == states.POWER_PAUSED


def test_a_guest_without_network_or_config_drive_has_neither(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec = new_spec(networks='none', config_drive=False)
    assert build(driver, spec) == ()
    text = libvirtd.virsh('dumpxml', spec.server_id).stdout
    assert '<interface' not in text
    assert 'cdrom' not in text


def test_a_domain_without_marks_is_left_alone(driver: LibvirtDriver, libvirtd: PrivateLibvirtd, tmp_path: Path) -> None:
    spec = new_spec()
    definition = tmp_path / 'domain.xml'
    definition.write_text(
        f"<domain type='qemu'><name>stranger</name><uuid>{spec.server_id}</uuid><memory unit='MiB'>64</memory>"
        '<os><type>hvm</type></os></domain>'
    )
    assert libvirtd.virsh('define', str(definition)).returncode == 0
    try:
        assert driver.guest(spec.server_id) is None
        assert driver.guests() == []
        for touch in (
            lambda: build(driver, spec),
            lambda: driver.destroy(spec.server_id),
            lambda: driver.power_on(spec.server_id),
            lambda: driver.hard_reboot(spec.server_id),
        ):
            with pytest.raises(GuestError, match='has no marks'):
                touch()
        assert libvirtd.names('list', '--all') == ['stranger']
    finally:
        libvirtd.virsh('undefine', 'stranger')


def test_agents_that_share_a_libvirtd_see_their_own_guests(make_driver: MakeDriver) -> None:
    one, other = make_driver('h1'), make_driver('h2')
    spec = boot(one)
    assert other.guests() == []
    assert other.guest(spec.server_id) is None
    assert other.leftovers() == set()
    other.destroy(spec.server_id)
    assert look(one, spec).power_state == states.RUNNING
    assert one.leftovers() == {spec.server_id}


def test_guests_that_are_built_at_once_get_addresses_of_their_own(make_driver: MakeDriver) -> None:
    drivers = [make_driver('h1'), make_driver('h2')]
    found: queue.Queue[str] = queue.Queue()
    threads = [
        threading.Thread(
            target=lambda number: found.put(drivers[number % 2].make_network(new_spec())[0].address), args=(n,)
        )
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({found.get_nowait() for _ in threads}) == 16


# Power


def test_a_guest_that_is_deaf_is_cut_off_in_time_and_starts_as_another_run(driver: LibvirtDriver) -> None:
    spec = boot(driver)
    first = look(driver, spec)
    driver.power_off(spec.server_id, 0.5, Progress())
    off = look(driver, spec)
    assert (off.power_state, off.run_id, off.committed) == (states.SHUTDOWN, None, True)
    driver.power_off(spec.server_id, 10, Progress())

    driver.power_on(spec.server_id)
    driver.power_on(spec.server_id)
    second = look(driver, spec)
    assert second.power_state == states.RUNNING
    assert second.run_id not in (None, first.run_id)
    assert not driver.soft_reboot(spec.server_id, 0.5, Progress())
    assert look(driver, spec) == second


def test_a_newer_operation_ends_the_wait_for_a_deaf_guest(driver: LibvirtDriver) -> None:
    spec = boot(driver)
    progress = Progress()
    threading.Timer(0.3, progress.cancelled.set).start()
    started_s = time.monotonic()
    with pytest.raises(Cancelled):
        driver.power_off(spec.server_id, 60, progress)
    assert time.monotonic() - started_s < 30
    assert look(driver, spec).power_state == states.RUNNING


def test_a_hard_reboot_starts_anew_and_repairs_definition_and_address(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd
) -> None:
    spec = new_spec()
    (address,) = build(driver, spec)
    driver.resume(spec.server_id)
    before = look(driver, spec)
    driver.hard_reboot(spec.server_id)
    after = look(driver, spec)
    assert after.power_state == states.RUNNING
    assert after.run_id not in (None, before.run_id)
    assert (after.sequence, after.operation_id, after.attempt) == (before.sequence, before.operation_id, 1)

    assert libvirtd.virsh('destroy', spec.server_id).returncode == 0
    assert libvirtd.virsh('undefine', spec.server_id).returncode == 0
    driver._network.release(spec.server_id)
    with pytest.raises(GuestNotFound):
        driver.power_on(spec.server_id)
    driver.hard_reboot(spec.server_id)
    repaired = look(driver, spec)
    assert (repaired.power_state, repaired.sequence, repaired.committed) == (states.RUNNING, before.sequence, True)
    assert driver.make_network(spec) == (address,)


def test_a_guest_that_dies_by_itself_is_reported(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    heard: queue.Queue[tuple[str, int]] = queue.Queue()
    driver.listen(lambda server_id: heard.put((server_id, look_state(driver, server_id))))
    spec = boot(driver)
    libvirtd.virsh('destroy', spec.server_id)
    while heard.get(timeout=20) != (spec.server_id, states.SHUTDOWN):
        pass


def look_state(driver: LibvirtDriver, server_id: str) -> int:
    """The power state now."""
    info = driver.guest(server_id)
    return info.power_state if info else states.NOSTATE


# libvirtd that goes away


def test_guests_outlive_libvirtd_and_events_come_again(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec = boot(driver)
    before = look(driver, spec)
    heard: queue.Queue[str] = queue.Queue()
    driver.listen(heard.put)
    libvirtd.kill()
    wait_until(lambda: driver.unusable_because() is not None, 'the loss is noticed')
    libvirtd.start()
    wait_until(lambda: driver.unusable_because() is None, 'the connection is there again')
    assert heard.get(timeout=20) == spec.server_id  # whatever happened meanwhile
    assert look(driver, spec) == before

    knows = ('qemu-monitor-command', spec.server_id, '--hmp', 'info status')
    wait_until(lambda: libvirtd.virsh(*knows).returncode == 0, 'libvirtd has found its QEMU again')
    states_heard: queue.Queue[int] = queue.Queue()
    driver.listen(lambda server_id: states_heard.put(look_state(driver, server_id)))
    libvirtd.virsh('destroy', spec.server_id)
    while states_heard.get(timeout=4) != states.SHUTDOWN:
        pass


def test_a_guest_that_dies_with_libvirtd_away_is_reported(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec = boot(driver)
    pid = int((libvirtd.folder / 'run' / 'qemu' / f'cp-{spec.server_id}.pid').read_text())
    heard: queue.Queue[int] = queue.Queue()
    driver.listen(lambda server_id: heard.put(look_state(driver, server_id)))
    libvirtd.kill()
    os.kill(pid, signal.SIGKILL)
    libvirtd.start()
    while heard.get(timeout=30) != states.SHUTDOWN:
        pass


def test_work_waits_for_a_libvirtd_that_is_restarted(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec = boot(driver)
    libvirtd.kill()
    restart = threading.Timer(0.5, libvirtd.start)
    restart.start()
    driver.hard_reboot(spec.server_id)
    restart.join()
    assert look(driver, spec).power_state == states.RUNNING


def test_a_libvirtd_that_hangs_stalls_nobody_else(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    spec = boot(driver)
    ticks: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    ticker = threading.Thread(target=tick)
    ticker.start()
    os.kill(libvirtd.pid, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (libvirtd.pid, signal.SIGCONT)).start()
    started_s = time.monotonic()
    assert look(driver, spec).power_state == states.RUNNING
    ended_s = time.monotonic()
    stop.set()
    ticker.join()
    assert ended_s - started_s > 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    assert max(gaps) < 0.8


@pytest.mark.eventlet
def test_nobody_is_stalled_under_eventlet_either() -> None:
    run_pytest(
        'eventlet',
        'tests/real/test_libvirt_driver.py',
        '-k',
        'hangs_stalls_nobody or let_run_and_leaves or outlive or flat_and_whole or built_at_once or cancelled_copy',
    )


def test_without_libvirtd_the_host_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('cloudplane.compute.virt.libvirt.driver._START_S', 0.2)
    settings = LibvirtSettings(uri=f'qemu+unix:///system?socket={tmp_path}/none')
    driver = LibvirtDriver(settings, HostSettings(host='h1'), tmp_path)
    with pytest.raises(ConfigurationError, match=r'Failed to connect.*Start it \(systemctl start libvirtd'):
        driver.start()
    driver.stop()


# Snapshots


def test_copies_of_running_and_stopped_guests_are_flat_and_whole(
    driver: LibvirtDriver, guest_image: Path, tmp_path: Path
) -> None:
    spec = new_spec()
    build(driver, spec, base=guest_image)
    seen: list[int] = []
    driver.copy_disk(spec.server_id, tmp_path / 'live.part', Progress(seen.append))
    driver.power_off(spec.server_id, 0, Progress())
    driver.copy_disk(spec.server_id, tmp_path / 'cold.part', Progress(seen.append))

    for copy in (tmp_path / 'live.part', tmp_path / 'cold.part'):
        assert 'file format: qcow2' in image_info(copy)
        assert 'backing file' not in image_info(copy)
        subprocess.run(['qemu-img', 'check', '-q', str(copy)], check=True)
        root_disk = driver._storage.files(spec.server_id, config_drive=True).root_disk
        subprocess.run(['qemu-img', 'compare', '-q', str(copy), str(root_disk)], check=True)
    assert (tmp_path / 'live.part').stat().st_uid == os.geteuid()
    assert seen == sorted(seen)


@pytest.fixture
def large_base(state_path: Path) -> Path:
    """A base image whose copy takes a moment."""
    path = state_path / 'large.raw'
    block = os.urandom(1 << 20)
    with open(path, 'wb') as opened:
        for _ in range(300):
            opened.write(block)
    return path


def limit_copy(driver: LibvirtDriver, spec: GuestSpec, mib_per_s: int) -> bool:
    """Give the copy that runs so much (0: all there is); False if none runs."""
    try:
        driver._guest(spec.server_id).call('limit', lambda domain: domain.blockJobSetSpeed('vda', mib_per_s, 0))
    except GuestError:
        return False
    return True


@pytest.fixture
def slow_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of running guests last for minutes, unless somebody lifts the limit."""
    begin = snapshot._begin

    def begin_slowly(domain: Any, copy: Path) -> bool:
        began = begin(domain, copy)
        domain.blockJobSetSpeed('vda', 1, 0)
        return began

    monkeypatch.setattr(snapshot, '_begin', begin_slowly)


def wait_for_copy(driver: LibvirtDriver, spec: GuestSpec) -> None:
    """Wait for a slow copy to begin."""
    wait_until(lambda: limit_copy(driver, spec, 1), 'the copy has begun')


@pytest.mark.usefixtures('slow_copies')
def test_a_cancelled_copy_ends_its_job_and_leaves_the_guest_as_it_was(
    driver: LibvirtDriver, large_base: Path, tmp_path: Path
) -> None:
    spec = boot(driver, large_base)
    before = look(driver, spec)
    progress = Progress()

    def cancel() -> None:
        wait_for_copy(driver, spec)
        progress.cancelled.set()

    slower = threading.Thread(target=cancel)
    slower.start()
    with pytest.raises(Cancelled):
        driver.copy_disk(spec.server_id, tmp_path / 'copy.part', progress)
    slower.join()
    assert not (tmp_path / 'copy.part').exists()
    assert look(driver, spec) == before
    assert not limit_copy(driver, spec, 0)


@pytest.mark.usefixtures('slow_copies')
def test_a_copy_survives_a_restart_of_libvirtd(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd, large_base: Path, tmp_path: Path
) -> None:
    spec = boot(driver, large_base)

    def restart() -> None:
        wait_for_copy(driver, spec)
        libvirtd.kill()
        libvirtd.start()
        limit_copy(driver, spec, 0)

    restarter = threading.Thread(target=restart)
    restarter.start()
    driver.copy_disk(spec.server_id, tmp_path / 'copy.part', Progress())
    restarter.join()
    root_disk = driver._storage.files(spec.server_id, config_drive=True).root_disk
    subprocess.run(['qemu-img', 'compare', '-q', '-U', str(tmp_path / 'copy.part'), str(root_disk)], check=True)


@pytest.mark.usefixtures('slow_copies')
def test_a_guest_that_is_turned_off_in_mid_copy_is_copied_all_the_same(
    driver: LibvirtDriver, large_base: Path, tmp_path: Path
) -> None:
    spec = boot(driver, large_base)

    def turn_off() -> None:
        wait_for_copy(driver, spec)
        driver.power_off(spec.server_id, 0, Progress())

    other = threading.Thread(target=turn_off)
    other.start()
    seen: list[int] = []
    driver.copy_disk(spec.server_id, tmp_path / 'copy.part', Progress(seen.append))
    other.join()
    root_disk = driver._storage.files(spec.server_id, config_drive=True).root_disk
    subprocess.run(['qemu-img', 'compare', '-q', str(tmp_path / 'copy.part'), str(root_disk)], check=True)
    assert seen == sorted(seen)


@pytest.mark.usefixtures('slow_copies')
def test_the_job_of_a_dead_agent_is_ended(make_driver: MakeDriver, large_base: Path, tmp_path: Path) -> None:
    dead, alive = make_driver(), make_driver()
    spec = boot(dead, large_base)
    # The one who copies is not told of the end of its job: as if it had died.
    failed: list[GuestError] = []

    def copy() -> None:
        try:
            dead.copy_disk(spec.server_id, tmp_path / 'dead.part', Progress())
        except GuestError as error:
            failed.append(error)

    copier = threading.Thread(target=copy)
    copier.start()
    wait_for_copy(alive, spec)

    alive.end_copies(spec.server_id)
    alive.end_copies(spec.server_id)

    copier.join()
    assert len(failed) == 1
    assert not (tmp_path / 'dead.part').exists()
    assert not limit_copy(alive, spec, 0)


def test_there_is_nothing_to_end_for_a_guest_that_is_gone(driver: LibvirtDriver) -> None:
    driver.end_copies(str(uuid.uuid4()))


# A guest with an operating system


def test_a_guest_lives_through_all_that_power_can_do_to_it(
    driver: LibvirtDriver, guest_image: Path, tmp_path: Path
) -> None:
    spec = new_spec(hostname='web-1')
    (address,) = build(driver, spec, base=guest_image)
    driver.resume(spec.server_id)
    assert wait_until_ready(driver, spec) == ('web-1', address.address)
    assert len(driver.console_log(spec.server_id, 3).splitlines()) == 3
    first = look(driver, spec)

    assert driver.soft_reboot(spec.server_id, 60, Progress())
    assert look(driver, spec).run_id == first.run_id
    wait_until_ready(driver, spec, 2)

    driver.hard_reboot(spec.server_id)
    assert look(driver, spec).run_id != first.run_id
    wait_until_ready(driver, spec, 3)

    started_s = time.monotonic()
    driver.power_off(spec.server_id, 60, Progress())
    assert time.monotonic() - started_s < 60
    assert look(driver, spec).power_state == states.SHUTDOWN
    assert 'Power down' in driver.console_log(spec.server_id, 20)

    driver.power_on(spec.server_id)
    wait_until_ready(driver, spec, 4)
    driver.copy_disk(spec.server_id, tmp_path / 'snapshot.part', Progress())
    driver.destroy(spec.server_id)

    image = guest_image.with_name('snapshot.qcow2')
    shutil.move(tmp_path / 'snapshot.part', image)
    image.chmod(0o444)
    again = boot(driver, image, hostname='web-2')
    assert wait_until_ready(driver, again)[0] == 'web-2'
