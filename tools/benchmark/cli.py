"""The command line: what is measured, where it lives meanwhile, and where the figures go."""

import argparse
import contextlib
import http.client
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from tests.services.server import STATE_ROOT, ServerFailed
from tools.benchmark import report
from tools.benchmark.all_in_one import IMAGE_ID, AllInOne
from tools.benchmark.client import BenchFailed
from tools.benchmark.figures import Figure
from tools.benchmark.load import LIMIT
from tools.benchmark.measurement import BareStart, Measurement

COUNTS = {'fake': 100, 'libvirt': 20}


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    asked = _parse(arguments)
    try:
        earlier = report.read(asked.compare) if asked.compare else None
        figures = _measure(asked.driver, asked.backend, asked.count or COUNTS[asked.driver])
        if asked.json:
            report.write(asked.json, figures)
    except (BenchFailed, ServerFailed, OSError, msgspec.DecodeError) as error:
        print(f'tools/bench: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted; everything was removed.', file=sys.stderr)
        return 130
    print(report.table(figures) if earlier is None else report.comparison(figures, earlier))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser('tools/bench')
    parser.add_argument('deployment', nargs='?', default='all-in-one', choices=['all-in-one'])
    parser.add_argument('--driver', default='fake', choices=list(COUNTS))
    parser.add_argument('--backend', default='eventlet', choices=['eventlet', 'threading'])
    parser.add_argument('--count', type=int, metavar='N')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--compare', type=Path, metavar='FILE')
    asked = parser.parse_args(arguments)
    if asked.count is not None and not 1 <= asked.count <= LIMIT:
        parser.error(f'--count is from 1 to {LIMIT}')
    if asked.driver == 'libvirt' and os.geteuid() != 0:
        parser.error('--driver libvirt starts a libvirtd of its own: run it as root')
    if asked.json and not asked.json.absolute().parent.is_dir():
        parser.error(f'--json {asked.json}: there is no folder {asked.json.parent}')
    return asked


def _measure(driver: str, backend: str, count: int) -> list[Figure]:
    with _folder() as folder, contextlib.ExitStack() as stack:
        options: dict[str, str] = {}
        bare = None
        if driver == 'libvirt':
            options = stack.enter_context(_own_libvirtd())
            bare = stack.enter_context(_bare_guests(options['uri'], folder / 'bare'))
        deployment = AllInOne(folder, driver, backend, options)
        stack.callback(deployment.stop)
        deployment.prepare()
        try:
            return Measurement(deployment, IMAGE_ID, folder, count, bare).run()
        except (BenchFailed, OSError, http.client.HTTPException) as error:
            raise BenchFailed(f'{error}\nThe end of its log:\n{deployment.log_tail()}') from error


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that QEMU's user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix='cloudplane-bench-', dir=STATE_ROOT))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _own_libvirtd() -> Iterator[dict[str, str]]:
    """A libvirtd that goes, with its guests and its network, when it is not needed any more; its options."""
    from tests.services.libvirtd import Network, PrivateLibvirtd

    network = Network.unused()
    with PrivateLibvirtd() as libvirtd:
        yield {
            'uri': libvirtd.uri,
            'network_name': network.name,
            'network_bridge': network.bridge,
            'network_cidr': network.cidr,
        }


@contextlib.contextmanager
def _bare_guests(uri: str, folder: Path) -> Iterator[Callable[[str], BareStart]]:
    """Starts guests by a connection of its own; their files lie in `folder`."""
    import libvirt

    from tools.benchmark.bare import BareGuest

    folder.mkdir(mode=0o755)
    connection = libvirt.open(uri)
    try:
        yield lambda server_id: BareGuest(connection, server_id, folder).start
    finally:
        connection.close()
