"""Fault points: named places at which a test may strike."""

from collections.abc import Iterator
from typing import NoReturn

import pytest

from cloudplane import faultpoints

STEP = faultpoints.declare('test.step.plain')
REPORTING = faultpoints.declare('test.step.reporting', reports=True)


class Struck(BaseException):
    """The process dies here."""


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """The points in the order in which they are reached."""
    points: list[str] = []
    faultpoints.set_hook(points.append)
    yield points
    faultpoints.set_hook(None)


def test_a_step_reaches_its_points_in_order(reached: list[str]) -> None:
    with REPORTING:
        reached.append('effect')
    REPORTING.reported()

    assert reached == [
        'test.step.reporting:before',
        'effect',
        'test.step.reporting:after',
        'test.step.reporting:reported',
    ]


def test_a_step_that_fails_does_not_reach_the_point_after_its_effect(reached: list[str]) -> None:
    with pytest.raises(ValueError, match='no'), STEP:
        raise ValueError('no')

    assert reached == ['test.step.plain:before']


def test_all_points_are_enumerated_each_once() -> None:
    points = faultpoints.all_points()

    assert [point for point in points if point.startswith('test.step.')] == [*STEP.points(), *REPORTING.points()]
    assert len(points) == len(set(points))


def test_a_name_may_be_declared_once() -> None:
    with pytest.raises(ValueError, match='declared twice'):
        faultpoints.declare('test.step.plain')


def test_a_point_does_nothing_in_the_product() -> None:
    faultpoints.set_hook(None)

    with STEP:
        pass
    REPORTING.reported()


def test_a_hook_may_end_the_step_before_its_effect() -> None:
    def strike(_point: str) -> NoReturn:
        raise Struck

    done = False
    faultpoints.set_hook(strike)
    try:
        with pytest.raises(Struck), STEP:
            done = True
    finally:
        faultpoints.set_hook(None)

    assert not done
