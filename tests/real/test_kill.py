"""SIGKILL of the all-in-one in the middle of a boot, a snapshot and a delete, with real guests under libvirt.

Started again, it ends what it had accepted: one running guest and one allocation, or none. The fault points of every
step are struck by tests without guests; here are those between which libvirt and QEMU go on without us.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloudplane.concurrency import Backend
from tests.real.cloud import Cloud, Server, wait_for

pytestmark = pytest.mark.real

LARGE_MB = 700  # takes a second or more to copy
ENOUGH_BYTES = 20 << 20
SLOW_BYTES_S = 1 << 20


@pytest.fixture(scope='module')
def image(cloud: Cloud, guest_image: Path) -> str:
    """The guest image in the store; the services run, with a flavor."""
    cloud.start()
    cloud.make_flavor('small')
    return cloud.import_image(guest_image, 'guest')


@pytest.fixture(scope='module')
def large_image(cloud: Cloud, image: str, guest_image: Path) -> str:
    """The same with a lot of data behind its partitions."""
    file = cloud.path / 'large.qcow2'
    file.write_bytes(guest_image.read_bytes())
    subprocess.run(['qemu-img', 'resize', '-q', str(file), '1G'], check=True)
    subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -q -P 171 200M {LARGE_MB}M', str(file)], check=True)
    image_id = cloud.import_image(file, 'large')
    file.unlink()
    return image_id


@pytest.fixture(scope='module')
def large(cloud: Cloud, large_image: str) -> Server:
    """A server that runs, and whose disk takes long to copy."""
    server = cloud.boot(name='large', imageRef=large_image, flavorRef='small')
    server.wait('ACTIVE')
    server.wait_ready()
    return server


def check_ran_once(cloud: Cloud, server: Server) -> None:
    """The guest is the only one, and has been let run once."""
    assert server.wait('ACTIVE')['OS-EXT-STS:power_state'] == 1
    server.wait_ready()
    assert server.boots() == 1
    assert cloud.libvirtd.names('list') == [server.domain]
    cloud.check(servers=1)


def remove(cloud: Cloud, server: Server) -> None:
    """Delete a server, which must leave nothing."""
    server.delete()
    server.wait_gone()
    cloud.check(servers=0)


def test_a_build_that_was_cut_while_it_fetched_its_image_ends_active(cloud: Cloud, large_image: str) -> None:
    part = cloud.path / 'state' / 'base' / f'{large_image}.part'
    server = cloud.boot(name='fetching', imageRef=large_image, flavorRef='small')
    wait_for(lambda: size_bytes(part) > ENOUGH_BYTES, 'the image to be fetched', look_s=0.001)
    cloud.process.kill()
    assert ENOUGH_BYTES < size_bytes(part) < LARGE_MB << 20
    assert cloud.libvirtd.names('list', '--all') == []
    cloud.start('threading')
    check_ran_once(cloud, server)
    remove(cloud, server)


@pytest.mark.parametrize(
    ('point', 'backend'),
    [
        ('compute.build.start:after', 'eventlet'),
        ('conductor.finish.commit:after', 'threading'),
        ('compute.build.resume:before', 'eventlet'),
    ],
)
def test_a_build_that_was_cut_between_start_and_resume_has_not_run_and_ends_active(
    cloud: Cloud, image: str, point: str, backend: Backend
) -> None:
    cloud.start(backend, die_at=point)
    cloud.try_to(lambda: cloud.boot(name='cut', imageRef=image, flavorRef='small'))
    cloud.wait_dead()
    (domain,) = cloud.libvirtd.names('list', '--all')
    assert cloud.libvirtd.virsh('domstate', domain).stdout.strip() == 'paused'
    cloud.start(backend)
    (server,) = cloud.servers()
    assert server.domain == domain
    check_ran_once(cloud, server)
    remove(cloud, server)


def check_image(cloud: Cloud, server: Server, name: str, status: str) -> str:
    """The snapshot is active and whole, the server as before, and nothing else is left; the id of the image."""
    server.wait(status)
    image = cloud.image(name)
    assert image['status'] == 'active'
    assert image['size_bytes'] > LARGE_MB << 20
    assert not (server.folder / 'copies').exists() or not list((server.folder / 'copies').iterdir())
    cloud.check(servers=1)
    return str(image['id'])


@pytest.mark.parametrize(
    ('point', 'backend'),
    [('compute.snapshot.copy:before', 'threading'), ('compute.snapshot.copy:after', 'eventlet')],
)
def test_a_snapshot_that_was_cut_before_or_after_its_copy_ends_active(
    cloud: Cloud, large: Server, point: str, backend: Backend
) -> None:
    cloud.start(backend, die_at=point)
    cloud.try_to(lambda: large.snapshot(point))
    cloud.wait_dead()
    cloud.start(backend)
    check_image(cloud, large, point, 'ACTIVE')


def test_a_snapshot_that_was_cut_in_the_middle_of_qemus_copy_ends_active_and_boots(cloud: Cloud, large: Server) -> None:
    cloud.start('eventlet')
    large.snapshot('live')
    wait_for(lambda: copied_bytes(large) > ENOUGH_BYTES, 'the copy', look_s=0.001)
    with large.frozen():
        cloud.process.kill()
    slow_down(cloud, large)  # so that the job of the dead one still runs when the next one comes
    cloud.start('threading')
    image = check_image(cloud, large, 'live', 'ACTIVE')
    assert large.boots() == 1
    copy = cloud.boot(name='copy', imageRef=image, flavorRef='small', config_drive=True)
    copy.wait('ACTIVE')
    assert copy.wait_ready()[0] == 'copy'
    copy.delete()
    copy.wait_gone()


def test_a_snapshot_of_a_stopped_server_that_was_cut_in_the_middle_of_its_copy_ends_active(
    cloud: Cloud, large: Server
) -> None:
    cloud.start('eventlet')
    large.act('os-stop')
    large.wait('SHUTOFF')
    large.snapshot('cold')
    wait_for(lambda: copied_bytes(large) > ENOUGH_BYTES, 'the copy', look_s=0.001)
    cloud.process.kill()
    assert ENOUGH_BYTES < copied_bytes(large) < LARGE_MB << 20
    cloud.start('threading')
    check_image(cloud, large, 'cold', 'SHUTOFF')
    remove(cloud, large)


@pytest.mark.parametrize(
    ('point', 'backend'),
    [
        ('compute.delete.destroy:before', 'eventlet'),
        ('compute.delete.destroy:after', 'threading'),
        ('compute.delete.finish:after', 'eventlet'),
    ],
)
def test_a_delete_that_was_cut_leaves_nothing(cloud: Cloud, image: str, point: str, backend: Backend) -> None:
    cloud.start(backend, die_at=point)
    server = cloud.boot(name='goes', imageRef=image, flavorRef='small')
    server.wait('ACTIVE')
    cloud.try_to(server.delete)
    cloud.wait_dead()
    cloud.start(backend)
    server.wait_gone()
    cloud.check(servers=0)


def size_bytes(file: Path) -> int:
    """The size of a file that may not be there."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def copied_bytes(server: Server) -> int:
    """How much of its disk has been copied."""
    return sum(size_bytes(file) for file in server.folder.glob('copies/*'))


def slow_down(cloud: Cloud, server: Server) -> None:
    """Slow down the only block job of a guest."""
    (job,) = monitor(cloud, server, 'query-block-jobs')
    assert 0 < job['offset'] < job['len']
    monitor(cloud, server, 'block-job-set-speed', device=job['device'], speed=SLOW_BYTES_S)


def monitor(cloud: Cloud, server: Server, command: str, **arguments: Any) -> list[dict[str, Any]]:
    """What QEMU answers to a command."""
    text = json.dumps({'execute': command, 'arguments': arguments})
    done = cloud.libvirtd.virsh('qemu-monitor-command', server.domain, text)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert 'return' in answer, answer
    return list(answer['return'])
