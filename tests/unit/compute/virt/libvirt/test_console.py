"""The tail of a console's log."""

from pathlib import Path

import pytest

from cloudplane.compute.virt.libvirt import console


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log whose older part virtlogd has moved away."""
    (tmp_path / 'console.log').write_text('five\nsix\n')
    (tmp_path / 'console.log.0').write_text('three\nfour\n')
    (tmp_path / 'console.log.1').write_text('one\ntwo\n')
    return tmp_path / 'console.log'


def test_the_last_lines_are_read(log: Path) -> None:
    assert console.tail(log, 1) == 'six\n'
    assert console.tail(log, 2) == 'five\nsix\n'


def test_older_files_are_read_when_they_are_needed(log: Path) -> None:
    assert console.tail(log, 3) == 'four\nfive\nsix\n'
    assert console.tail(log, None) == 'one\ntwo\nthree\nfour\nfive\nsix\n'
    assert console.tail(log, 100) == console.tail(log, None)


def test_no_lines_are_no_lines(log: Path) -> None:
    assert console.tail(log, 0) == ''


def test_a_guest_that_never_ran_has_said_nothing(tmp_path: Path) -> None:
    assert console.tail(tmp_path / 'console.log', None) == ''


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / 'console.log').write_bytes(b'\xff\xfeok\n')
    assert console.tail(tmp_path / 'console.log', 5).endswith('ok\n')


def test_a_long_log_is_cut(tmp_path: Path) -> None:
    (tmp_path / 'console.log').write_bytes(b'x' * (3 << 20))
    assert len(console.tail(tmp_path / 'console.log', None)) == 1 << 20
