"""What tools/bench shows and writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.benchmark import report
from tools.benchmark.figures import Figure


def figure(name: str, value: float, **settings: Any) -> Figure:
    """A figure of an all-in-one with the fake driver."""
    common = {'deployment': 'all-in-one', 'driver': 'fake', 'backend': 'eventlet'}
    return Figure(name=name, value=value, unit='ms', settings=common | settings)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    figures = [figure('post.p50', 7.5, samples=3), figure('boots.wide_10', 51.0)]
    report.write(tmp_path / 'figures.json', figures)
    assert report.read(tmp_path / 'figures.json') == figures
    assert [path.name for path in tmp_path.iterdir()] == ['figures.json']


def test_the_file_has_the_form_that_others_read(tmp_path: Path) -> None:
    report.write(tmp_path / 'figures.json', [figure('post.p50', 7.5)])
    settings = {'deployment': 'all-in-one', 'driver': 'fake', 'backend': 'eventlet'}
    assert json.loads((tmp_path / 'figures.json').read_text()) == {
        'figures': [{'name': 'post.p50', 'value': 7.5, 'unit': 'ms', 'settings': settings}]
    }


def test_a_comparison_shows_how_many_times_as_much_it_is() -> None:
    lines = report.comparison([figure('post.p50', 9.0), figure('new', 1.0)], [figure('post.p50', 6.0)]).splitlines()
    assert lines[1].split() == ['post.p50', '9.00', 'ms', '6.00', 'x1.50']
    assert lines[2].split() == ['new', '1.00', 'ms', '-', '-']


def test_figures_of_another_driver_are_not_compared() -> None:
    lines = report.comparison([figure('post.p50', 9.0)], [figure('post.p50', 6.0, driver='libvirt')]).splitlines()
    assert lines[1].split()[-1] == '-'


def test_a_star_marks_what_was_measured_otherwise() -> None:
    assert report.ratio(figure('a', 2.0, cpus=2), figure('a', 1.0, cpus=8)) == 'x2.00 *'
    assert report.ratio(figure('a', 2.0, samples=2), figure('a', 1.0, samples=9)) == 'x2.00'
    assert report.ratio(figure('a', 2.0), figure('a', 0.0)) == '-'


@pytest.mark.parametrize(
    ('value', 'shown'), [(0, '0'), (0.123, '0.12'), (9.994, '9.99'), (12.34, '12.3'), (1234, '1234')]
)
def test_numbers_have_as_many_digits_as_mean_something(value: float, shown: str) -> None:
    assert report.number(value) == shown
