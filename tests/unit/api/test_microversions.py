"""Microversions: reading, comparing, windows."""

import pytest

from cloudplane.api.compute import microversions
from cloudplane.api.compute.microversions import ALWAYS, MAX, MIN, Version, Window, negotiate, since, until
from cloudplane.api.errors import NotAcceptable
from cloudplane.exceptions import BadRequest


def test_versions_compare_as_numbers() -> None:
    assert Version(2, 9) < Version(2, 10) < Version(3, 0)
    assert str(Version.parse('2.100')) == '2.100'


def test_a_window_has_both_its_ends() -> None:
    window = Window(Version(2, 2), Version(2, 35))
    assert [Version(2, minor) in window for minor in (1, 2, 35, 36)] == [False, True, True, False]
    assert Version(2, 999) in ALWAYS
    assert Version(2, 44) in until(44)
    assert Version(2, 45) not in until(44)
    assert Version(2, 45) in since(45)
    assert Version(2, 44) not in since(45)


def test_the_first_header_counts() -> None:
    assert negotiate(None, None) == MIN
    assert negotiate('compute latest', None) == MAX
    assert negotiate('compute 2.1', 'nonsense') == Version(2, 1)
    assert negotiate('identity 3.0', '2.1') == Version(2, 1)


def test_the_range_is_said_when_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microversions, 'MAX', Version(2, 50))
    assert negotiate('compute 2.50', None) == Version(2, 50)
    with pytest.raises(NotAcceptable, match=r'2\.51 .* Minimum is 2\.1 and maximum is 2\.50'):
        negotiate('compute 2.51', None)


@pytest.mark.parametrize(
    'text', ['', '2', '2.', '.1', '02.1', '2.01', '2.1 ', 'v2.1', '2.1.0', '\u0662.\u0661', '2.1\n']
)
def test_only_one_form_is_a_version(text: str) -> None:
    with pytest.raises(BadRequest):
        Version.parse(text)
