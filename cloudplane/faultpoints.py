"""The named places at which a process may die, so that tests can make it do so.

A step of an operation declares itself once, at import, and runs as `with STEP: …`. That reaches two points,
`NAME:before` and `NAME:after` its effect; `STEP.reported()` reaches `NAME:reported` when somebody else has been told
of it. In the product a point does nothing. A test sets a hook, and enumerates `all_points()`: a point that it never
struck is a gap in the test.
"""

from collections.abc import Callable
from types import TracebackType

BEFORE, AFTER, REPORTED = 'before', 'after', 'reported'

_steps: dict[str, 'Step'] = {}


class _Hook:
    """What is called at each point: nothing, unless a test put something here."""

    function: Callable[[str], None] | None = None


def set_hook(function: Callable[[str], None] | None) -> None:
    """Call `function` with the name of each point that is reached; None turns it off."""
    _Hook.function = function


def reach(point: str) -> None:
    """Pass a point."""
    if _Hook.function is not None:
        _Hook.function(point)


class Step:
    """One step with an effect, and the points around it."""

    def __init__(self, name: str, reports: bool) -> None:
        self.name, self.reports = name, reports

    def __enter__(self) -> 'Step':
        reach(f'{self.name}:{BEFORE}')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            reach(f'{self.name}:{AFTER}')

    def reported(self) -> None:
        """Pass the point after the report of this step."""
        reach(f'{self.name}:{REPORTED}')

    def points(self) -> tuple[str, ...]:
        """The names of this step's points."""
        kinds = (BEFORE, AFTER, REPORTED) if self.reports else (BEFORE, AFTER)
        return tuple(f'{self.name}:{kind}' for kind in kinds)


def declare(name: str, *, reports: bool = False) -> Step:
    """Declare the step `name` (service.operation.step); a name may be declared once."""
    if name in _steps:
        raise ValueError(f'the fault point {name} is declared twice')
    _steps[name] = Step(name, reports)
    return _steps[name]


def all_points() -> tuple[str, ...]:
    """Every point of the modules that have been imported, in the order of declaration."""
    return tuple(point for step in _steps.values() for point in step.points())
