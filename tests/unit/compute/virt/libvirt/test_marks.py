"""The marks on guests."""

import xml.etree.ElementTree as ET

import pytest

from cloudplane.compute.virt.libvirt import marks
from cloudplane.compute.virt.libvirt.marks import Marks
from tests.unit.compute.virt.libvirt.specs import SERVER_ID, token

MARKS = Marks(server_id=SERVER_ID, host='h1', sequence=3, operation_id='op', attempt=2, run='r', committed=True)


def test_marks_are_read_as_they_were_written() -> None:
    assert marks.parse(ET.tostring(MARKS.to_element(), encoding='unicode')) == MARKS


@pytest.mark.parametrize(
    'text', ['', 'nonsense', '<guest/>', '<guest server="x" host="h" sequence="one" operation="o" attempt="1"/>']
)
def test_what_is_not_marks_is_not_taken_for_marks(text: str) -> None:
    assert marks.parse(text) is None


def test_a_build_is_known_by_its_sequence() -> None:
    assert MARKS.same_build(token(sequence=3, attempt=9))
    assert not MARKS.same_build(token(sequence=4))
