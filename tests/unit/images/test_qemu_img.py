"""How qemu-img is run: limits, and what its end is taken for. Scripts stand in for it."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudplane.exceptions import ConfigurationError
from cloudplane.images.errors import ImageInvalid
from cloudplane.images.qemu_img import QemuImg, QemuImgLimits

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes a program of some lines of shell."""

    def make(lines: str) -> str:
        path = tmp_path / 'qemu-img'
        path.write_text(f'#!/bin/sh\n{lines}\n')
        path.chmod(0o755)
        return str(path)

    return make


def test_the_answer_is_what_it_prints(script: Script, tmp_path: Path) -> None:
    assert QemuImg(command=script('echo \'{"format": "raw"}\'')).info(tmp_path / 'x', 'raw') == {'format': 'raw'}


def test_it_runs_with_limits_of_memory_and_processor_time(script: Script, tmp_path: Path) -> None:
    command = script('echo "{\\"memory\\": $(ulimit -v), \\"cpu\\": $(ulimit -t), \\"core\\": $(ulimit -c)}"')
    limits = QemuImgLimits(memory_mb=512, cpu_s=7)
    assert QemuImg(limits, command).info(tmp_path / 'x', 'raw') == {'memory': 512 << 10, 'cpu': 7, 'core': 0}


def test_one_that_never_ends_is_ended(script: Script, tmp_path: Path) -> None:
    qemu_img = QemuImg(QemuImgLimits(timeout_s=0.1), script('exec sleep 60'))
    with pytest.raises(ImageInvalid, match=r'more than 0\.1 s'):
        qemu_img.info(tmp_path / 'x', 'raw')


def test_one_that_needs_too_much_is_ended(script: Script, tmp_path: Path) -> None:
    qemu_img = QemuImg(QemuImgLimits(cpu_s=1), script('while :; do :; done'))
    with pytest.raises(ImageInvalid, match='more than 1 s of processor time'):
        qemu_img.info(tmp_path / 'x', 'raw')


def test_its_reason_is_told_without_the_path(script: Script, tmp_path: Path) -> None:
    qemu_img = QemuImg(command=script('echo "qemu-img: Could not open \'$5\': bad" >&2; exit 1'))
    with pytest.raises(ImageInvalid, match=r"cannot read it: Could not open 'the file': bad$"):
        qemu_img.info(tmp_path / 'x', 'raw')


@pytest.mark.parametrize(('status', 'sound'), [(0, True), (3, True), (1, False), (2, False), (63, False)])
def test_a_check_accepts_leaks_and_nothing_worse(script: Script, tmp_path: Path, status: int, sound: bool) -> None:
    qemu_img = QemuImg(command=script(f'echo "{{}}"; exit {status}'))
    if sound:
        assert qemu_img.check(tmp_path / 'x', 'qcow2') == {}
        return
    with pytest.raises(ImageInvalid, match='structure is damaged'):
        qemu_img.check(tmp_path / 'x', 'qcow2')


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='qemu-utils'):
        QemuImg(command=str(tmp_path / 'nothing')).info(tmp_path / 'x', 'raw')


def test_others_run_while_it_works(script: Script, tmp_path: Path) -> None:
    qemu_img, answered = QemuImg(command=script('cat "$5" > /dev/null; echo "{}"')), threading.Event()
    fifo = tmp_path / 'fifo'
    os.mkfifo(fifo)

    def ask() -> None:
        qemu_img.info(fifo, 'raw')  # until somebody has written to the fifo and closed it
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert not answered.is_set()
    fifo.write_bytes(b'x')
    assert answered.wait(10)
    thread.join()
