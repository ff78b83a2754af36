"""An agent that runs, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.compute.agent import Agent, running


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """An agent that has registered with a conductor of its own."""
    with running(tmp_path) as started:
        yield started
