"""The qcow2 header, read and written."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudplane.images import qcow2

GIB = 1 << 30


def test_a_header_that_was_written_is_read() -> None:
    header = qcow2.read_header(qcow2.overlay(5 * GIB, '/base', 'raw'))
    assert (header.version, header.virtual_size_bytes, header.cluster_bits) == (3, 5 * GIB, 16)
    assert (header.l1_entries, header.l1_offset) == (10, 3 * qcow2.CLUSTER)
    assert header.backing_length == len('/base')
    assert header.extensions == (qcow2.EXTENSION_BACKING_FORMAT,)


def test_the_backing_path_lies_where_the_header_says() -> None:
    content = qcow2.overlay(GIB, '/base/image.qcow2', 'qcow2')
    header = qcow2.read_header(content)
    assert content[header.backing_offset :].startswith(b'/base/image.qcow2\0')


def test_an_empty_disk_has_no_backing_file() -> None:
    header = qcow2.read_header(qcow2.overlay(GIB, None, ''))
    assert (header.backing_offset, header.backing_length, header.extensions) == (0, 0, ())


def test_a_large_disk_gets_a_larger_table() -> None:
    assert len(qcow2.overlay(4096 * GIB, None, '')) == 4 * qcow2.CLUSTER
    assert len(qcow2.overlay(4096 * GIB + 512, None, '')) == 5 * qcow2.CLUSTER


def test_a_path_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match='1023'):
        qcow2.overlay(GIB, '/' + 'x' * 1023, 'raw')


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'', 'within the header'),
        (qcow2.MAGIC, 'within the header'),
        (bytes(512), 'no qcow2 header'),
        (struct.pack('>4sI', qcow2.MAGIC, 1).ljust(512, b'\0'), 'version is 1'),
        (struct.pack('>4sI', qcow2.MAGIC, 4).ljust(512, b'\0'), 'version is 4'),
        (struct.pack('>4sI', qcow2.MAGIC, 3).ljust(80, b'\0'), 'within the header'),
        (struct.pack('>4sI', qcow2.MAGIC, 3).ljust(512, b'\0'), '0 bytes long'),
    ],
)
def test_what_is_no_header_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        qcow2.read_header(data)


@given(st.binary(max_size=300), st.integers(0, 4))
def test_no_content_breaks_the_reader(tail: bytes, version: int) -> None:
    try:
        qcow2.read_header(struct.pack('>4sI', qcow2.MAGIC, version) + tail)
    except ValueError:
        return
