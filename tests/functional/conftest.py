"""Fixtures of the functional tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.cloud import Cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A running cloud with one fake host."""
    with Cloud(tmp_path) as running:
        yield running
