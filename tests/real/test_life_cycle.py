"""The whole way of real servers: through HTTP to the all-in-one, by it to libvirt, and by ssh into the guests.

The tests share one machine and its first server, and run in their order.
"""

import base64
import json
import time
from pathlib import Path

import pytest

from tests.real.cloud import Cloud, Server, wait_for

pytestmark = pytest.mark.real

FILE = '/root/written-by-the-first'
USER_DATA = '#!/bin/sh\necho "user data of $(hostname) speaks"\necho ran >> /root/user-data-runs\n'
# libvirt tells of it at once; the comparison of all guests comes every ten minutes.
EVENT_S = 10.0
# The guest needs less than two; one that does not listen loses its power after a minute.
GRACEFUL_S = 30.0
BY_ITSELF = 'shut off (shutdown)'  # a guest whose power was cut: shut off (destroyed)
LAST_WORDS = 'reboot: Power down'


@pytest.fixture(scope='module')
def image(cloud: Cloud, guest_image: Path) -> str:
    """The guest image in the store."""
    return cloud.import_image(guest_image, 'guest')


@pytest.fixture(scope='module')
def running(cloud: Cloud, image: str) -> Cloud:
    """The machine with its services, a flavor and a key."""
    cloud.start()
    cloud.make_flavor('small')
    cloud.make_keypair('mine')
    return cloud


def boot(cloud: Cloud, image: str, name: str) -> Server:
    """Ask for a server with everything that a config drive can hold."""
    return cloud.boot(
        name=name,
        imageRef=image,
        flavorRef='small',
        key_name='mine',
        user_data=base64.b64encode(USER_DATA.encode()).decode(),
        metadata={'role': 'web'},
        config_drive=True,
    )


@pytest.fixture(scope='module')
def web(running: Cloud, image: str) -> Server:
    """The first server; it has written a file."""
    server = boot(running, image, 'web-1')
    server.wait('ACTIVE')
    server.wait_ready()
    server.run(f'echo "by $(hostname)" > {FILE}')
    return server


def switch_on(server: Server) -> None:
    """Start a server, and wait until its guest is ready."""
    boots = server.boots()
    server.act('os-start')
    assert server.wait('ACTIVE')['OS-EXT-STS:power_state'] == 1
    server.wait_ready(boots + 1)


def snapshot(cloud: Cloud, server: Server, name: str) -> str:
    """Make an image of a server's disk; its id, when it is active and the server rests."""
    status = server.show()['status']
    image_id = server.snapshot(name)
    server.wait(status)
    image = cloud.image(name)
    assert (image['id'], image['status']) == (image_id, 'active')
    return image_id


def test_the_guest_is_ready_at_the_address_that_the_api_shows(web: Server) -> None:
    shown = web.show()
    assert shown['OS-EXT-STS:power_state'] == 1
    assert shown['config_drive'] == 'True'
    assert web.wait_ready() == ('web-1', web.address())


def test_key_user_data_and_metadata_reach_the_guest(web: Server) -> None:
    assert web.run('hostname; cat /root/user-data-runs') == 'web-1\nran\n'
    assert 'user data of web-1 speaks' in web.console()
    drive = 'mkdir -p /tmp/drive; mount -t iso9660 -o ro /dev/sr0 /tmp/drive || exit 1'
    metadata = json.loads(web.run(f'{drive}; cat /tmp/drive/openstack/latest/meta_data.json; umount /tmp/drive'))
    assert (metadata['uuid'], metadata['name'], metadata['meta']) == (web.id, 'web-1', {'role': 'web'})


def test_a_stop_lets_the_guest_end_by_itself_and_a_start_finds_its_file(web: Server) -> None:
    began = time.monotonic()
    web.act('os-stop')
    assert web.wait('SHUTOFF')['OS-EXT-STS:power_state'] == 4
    assert time.monotonic() - began < GRACEFUL_S
    assert web.domain_state() == BY_ITSELF
    switch_on(web)
    assert web.run(f'cat {FILE}') == 'by web-1\n'


def test_a_soft_reboot_boots_the_kernel_anew_in_the_same_machine(web: Server) -> None:
    boots, boot_id, domain_id = web.boots(), web.boot_id(), web.domain_id()
    web.act('reboot', {'type': 'SOFT'})
    web.wait('ACTIVE')
    web.wait_ready(boots + 1)
    assert web.boot_id() != boot_id
    assert web.domain_id() == domain_id


def test_a_hard_reboot_starts_another_machine(web: Server) -> None:
    boots, boot_id, domain_id = web.boots(), web.boot_id(), web.domain_id()
    web.act('reboot', {'type': 'HARD'})
    web.wait('ACTIVE')
    web.wait_ready(boots + 1)
    assert web.boot_id() != boot_id
    assert web.domain_id() != domain_id
    assert web.run(f'cat {FILE} /root/user-data-runs') == 'by web-1\nran\n'


def test_servers_from_a_live_and_a_cold_snapshot_hold_the_file_and_are_others(cloud: Cloud, web: Server) -> None:
    boot_id = web.boot_id()
    live = snapshot(cloud, web, 'live')
    assert web.boot_id() == boot_id
    second = boot(cloud, live, 'web-2')
    second.wait('ACTIVE')
    assert second.wait_ready() == ('web-2', second.address())
    assert second.run(f'cat {FILE} /root/user-data-runs') == 'by web-1\nran\nran\n'
    assert second.host_key() != web.host_key()

    second.act('os-stop')
    second.wait('SHUTOFF')
    cold = snapshot(cloud, second, 'cold')
    assert second.domain_state() == BY_ITSELF
    third = boot(cloud, cold, 'web-3')
    third.wait('ACTIVE')
    assert third.wait_ready() == ('web-3', third.address())
    assert third.run(f'cat {FILE} /root/user-data-runs') == 'by web-1\nran\nran\nran\n'
    for server in (second, third):
        server.delete()
        server.wait_gone()
    cloud.check(servers=1)


def test_a_guest_that_powers_itself_off_is_shown_so_at_once(web: Server) -> None:
    web.power_off_inside()
    wait_for(lambda: web.domain_state() == BY_ITSELF, 'the guest to power off')
    began = time.monotonic()
    assert web.wait('SHUTOFF')['OS-EXT-STS:power_state'] == 4
    assert time.monotonic() - began < EVENT_S


def test_what_is_asked_while_libvirtd_is_away_is_done_when_it_is_back(cloud: Cloud, web: Server) -> None:
    boots = web.boots()
    with cloud.without_libvirtd():
        web.act('os-start')
        assert web.show()['OS-EXT-STS:task_state'] == 'powering-on'
    web.wait('ACTIVE')
    web.wait_ready(boots + 1)


def test_a_guest_outlives_libvirtd_and_its_end_meanwhile_is_shown_afterwards(cloud: Cloud, web: Server) -> None:
    boot_id, ends = web.boot_id(), web.console().count(LAST_WORDS)
    with cloud.without_libvirtd():
        assert web.boot_id() == boot_id
        web.power_off_inside()
        wait_for(lambda: web.console().count(LAST_WORDS) > ends, 'the guest to power off')
        assert web.show()['status'] == 'ACTIVE'
    assert web.wait('SHUTOFF')['OS-EXT-STS:power_state'] == 4


def test_two_builds_at_once_share_the_image_that_neither_found(cloud: Cloud, web: Server, guest_image: Path) -> None:
    image = cloud.import_image(guest_image, 'not cached')
    cached = cloud.path / 'state' / 'base' / f'{image}.qcow2'
    assert not cached.exists()
    twins = [boot(cloud, image, name) for name in ('twin-1', 'twin-2')]
    addresses = [twin.wait('ACTIVE') and twin.address() for twin in twins]
    assert cached.exists()
    assert [twin.wait_ready() for twin in twins] == list(zip(('twin-1', 'twin-2'), addresses, strict=True))
    cloud.check(servers=3)
    for twin in twins:
        twin.delete()
    for twin in twins:
        twin.wait_gone()


def test_nothing_is_left_of_servers_that_were_deleted(cloud: Cloud, web: Server) -> None:
    web.delete()
    web.wait_gone()
    cloud.check(servers=0)


def test_under_threads_a_server_boots_stops_starts_and_is_deleted(running: Cloud, image: str) -> None:
    assert running.process.stop() < 10
    running.start('threading')
    server = boot(running, image, 'threads')
    server.wait('ACTIVE')
    server.wait_ready()
    server.run(f'echo kept > {FILE}')
    server.act('os-stop')
    server.wait('SHUTOFF')
    assert server.domain_state() == BY_ITSELF
    switch_on(server)
    assert server.run(f'cat {FILE}') == 'kept\n'
    server.delete()
    server.wait_gone()
    running.check(servers=0)
