"""The arithmetic of tools/bench."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.benchmark.figures import Figures, less, median, percentile


def test_a_percentile_is_a_sample_that_was_measured() -> None:
    samples = [30.0, 10.0, 20.0, 40.0]
    assert percentile(samples, 50) == 20.0
    assert percentile(samples, 95) == 40.0
    assert percentile(samples, 25) == 10.0
    assert percentile(samples, 0) == 10.0
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_the_99th_of_a_hundred_leaves_one_sample_out() -> None:
    assert percentile([float(value) for value in range(1, 101)], 99) == 99.0


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match='no samples'):
        percentile([], 50)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(0, 100))
def test_enough_samples_are_not_above_a_percentile(samples: list[float], percent: int) -> None:
    found = percentile(samples, percent)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= len(samples) * percent / 100


def test_differences_are_those_of_pairs() -> None:
    assert less([5.0, 7.0], [1.0, 9.0]) == [4.0, -2.0]
    with pytest.raises(ValueError, match='shorter'):
        less([1.0], [])


def test_figures_carry_common_settings_and_their_own() -> None:
    figures = Figures({'driver': 'fake'})
    figures.add_percentiles('post', [1.0, 2.0], (50, 95), 'ms')
    figures.add('boots', 3.14159, '1/s', count=2)
    assert [(figure.name, figure.value, figure.unit) for figure in figures.all] == [
        ('post.p50', 1.0, 'ms'),
        ('post.p95', 2.0, 'ms'),
        ('boots', 3.1416, '1/s'),
    ]
    assert figures.all[0].settings == {'driver': 'fake', 'samples': 2}
    assert figures.all[2].settings == {'driver': 'fake', 'count': 2}
