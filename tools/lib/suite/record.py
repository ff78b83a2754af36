"""A pytest plugin that writes down what came of each test, for replay.py. The file is named in the environment."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = 'CLOUDPLANE_TEST_RECORD'


class Recorder:
    """Appends each report as a line of JSON."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self._config, self._file = config, file.open('w')

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test has ended."""
        data: dict[str, Any] = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        data['user_properties'] = []  # may hold anything
        self._file.write(json.dumps(data) + '\n')
        self._file.flush()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record."""
    config.pluginmanager.register(Recorder(config, Path(os.environ[VARIABLE])), 'cloudplane-recorder')
