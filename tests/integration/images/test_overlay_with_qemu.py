"""The overlays that cloudplane writes itself, read and written by QEMU's own tools."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloudplane.compute.overlay import make_overlay
from cloudplane.concurrency import BlockingPool
from tests.integration.images.hostile import qemu_img, sound_qcow2

OPERATION = 'b2f3b1e6-5a0c-4f53-9a8b-6f9d4ac1a111'


def overlay(base: Path | None, target: Path, pool: BlockingPool, size_gb: int = 3) -> Path:
    make_overlay(base, target, size_gb=size_gb, operation_id=OPERATION, attempt=1, pool=pool)
    return target


def answer(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(['qemu-img', *map(str, arguments)], check=True, capture_output=True, text=True)
    decoded: dict[str, Any] = json.loads(done.stdout)
    return decoded


def io(disk: Path, *commands: str) -> None:
    subprocess.run(
        ['qemu-io', '-f', 'qcow2', *(f'-c{each}' for each in commands), str(disk)], check=True, capture_output=True
    )


@pytest.fixture(params=['raw', 'qcow2'])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A base of 1 MiB in either format."""
    path: Path = tmp_path / f'base.{request.param}'
    sound_qcow2(tmp_path / 'made')
    qemu_img('convert', '-f', 'qcow2', '-O', request.param, tmp_path / 'made', path)
    return path


def test_qemu_finds_nothing_wrong_and_sees_what_qemu_img_would_have_made(
    tmp_path: Path, base: Path, pool: BlockingPool
) -> None:
    ours, theirs = overlay(base, tmp_path / 'ours', pool), tmp_path / 'theirs'
    qemu_img('create', '-f', 'qcow2', '-F', base.suffix[1:], '-b', base, theirs, '3G')
    answers = [answer('info', '--output=json', disk) for disk in (ours, theirs)]
    for each in answers:
        del each['filename'], each['actual-size']
    assert answers[0] == answers[1]
    checks = [answer('check', '--output=json', disk) for disk in (ours, theirs)]
    for each in checks:
        del each['filename']
    assert checks[0] == checks[1]


def test_a_guest_reads_the_base_and_writes_beside_it(tmp_path: Path, base: Path, pool: BlockingPool) -> None:
    before = base.read_bytes()
    disk = overlay(base, tmp_path / 'disk', pool)
    qemu_img('convert', '-O', 'raw', disk, tmp_path / 'seen.raw')
    qemu_img('convert', '-O', 'raw', base, tmp_path / 'base.flat')
    flat = (tmp_path / 'base.flat').read_bytes()
    with open(tmp_path / 'seen.raw', 'rb') as seen:
        assert seen.read(len(flat)) == flat
        assert seen.read(1 << 20) == bytes(1 << 20)
    io(disk, 'write -P 0xab 0 64k', 'write -P 0xcd 2900M 64k')
    io(disk, 'read -vP 0xab 0 64k', 'read -P 0xcd 2900M 64k')
    assert answer('check', '--output=json', disk)['check-errors'] == 0
    assert base.read_bytes() == before


@pytest.mark.parametrize('size_gb', [1, 4096, 4097, 20000])
def test_empty_disks_of_every_size_are_sound(tmp_path: Path, pool: BlockingPool, size_gb: int) -> None:
    disk = overlay(None, tmp_path / 'disk', pool, size_gb)
    assert answer('info', '--output=json', disk)['virtual-size'] == size_gb << 30
    last = f'{(size_gb << 30) - 512} 512'
    io(disk, f'write -P 0xab {last}', f'read -P 0xab {last}')
    assert answer('check', '--output=json', disk)['check-errors'] == 0
