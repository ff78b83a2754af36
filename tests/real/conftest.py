"""A private libvirtd, a place that QEMU reaches, and the guest image, for tests that run real guests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.real.cloud import Cloud
from tests.services.libvirtd import Network, PrivateLibvirtd
from tests.services.server import STATE_ROOT

_BUILD = Path(__file__).resolve().parents[2] / 'tools' / 'build-guest-image'


@pytest.fixture(scope='session')
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A libvirtd that the session shares. Who kills it starts it again."""
    with PrivateLibvirtd() as daemon:
        yield daemon


@pytest.fixture(scope='session')
def network() -> Network:
    """Names and addresses for the NAT network of the session's guests."""
    return Network.unused()


@pytest.fixture
def state_path() -> Iterator[Path]:
    """A folder for an agent's state where QEMU's user can go, which pytest's own folders are not."""
    path = Path(tempfile.mkdtemp(prefix='cloudplane-real-', dir=STATE_ROOT))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope='session')
def guest_image() -> Iterator[Path]:
    """The small guest image, where QEMU's user can read it."""
    folder = Path(tempfile.mkdtemp(prefix='cloudplane-image-', dir=STATE_ROOT))
    folder.chmod(0o711)
    install = ['--install-packages'] if os.geteuid() == 0 else []
    subprocess.run([str(_BUILD), '--output', str(folder / 'guest.qcow2'), *install], check=True)
    yield folder / 'guest.qcow2'
    shutil.rmtree(folder)


@pytest.fixture(scope='module')
def cloud() -> Iterator[Cloud]:
    """A machine for the tests of one module, on a libvirtd of its own; its all-in-one does not run yet."""
    with PrivateLibvirtd() as daemon:
        made = Cloud(daemon)
        try:
            yield made
        finally:
            made.process.kill()
            daemon.start()  # a dead one could not take the firewall rules of its network along


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the logs with a failure in a cloud."""
    report = yield
    used = getattr(item, 'funcargs', {}).get('cloud')
    if report.failed and isinstance(used, Cloud):
        report.sections.extend(used.report())
    return report
