"""A pytest plugin that shows what came of stages that ran before, as if they were tests of this run.

So one summary and one exit status speak for everything. The folder that the environment names holds `NAME.check`, a
document of JSON, for each check, and `NAME.reports`, lines of JSON, for each pytest run.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

VARIABLE = 'CLOUDPLANE_TEST_REPLAY'


class Replayed(pytest.Item):
    """Something that has ended already."""

    reports: list[pytest.TestReport]

    def runtest(self) -> None:
        """Never called: see pytest_runtest_protocol."""
        raise AssertionError('a replayed test does not run again')

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is said to be."""
        return Path(self.nodeid.partition('::')[0]), None, self.name


@pytest.hookimpl(trylast=True)  # what was asked for by name or mark has been chosen: here is more than that
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add what ended before, in front of what is still to run."""
    folder = Path(os.environ[VARIABLE])
    replayed = [_check(session, file) for file in sorted(folder.glob('*.check'))]
    for file in sorted(folder.glob('*.reports')):
        replayed += _tests(session, config, file)
    items[:0] = replayed
    # The terminal counts what it hears of.
    report = pytest.CollectReport(nodeid='', outcome='passed', longrepr=None, result=[*replayed])
    config.hook.pytest_collectreport(report=report)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Report what is known instead of running it."""
    if not isinstance(item, Replayed):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in item.reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _check(session: pytest.Session, file: Path) -> Replayed:
    data = json.loads(file.read_text())
    node_id = f'checks::{data["name"]}'
    failed = data['status'] != 0
    report = pytest.TestReport(
        nodeid=node_id,
        location=('checks', None, data['name']),
        keywords={},
        outcome='failed' if failed else 'passed',
        longrepr=data['output'] if failed else None,
        when='call',
        duration=data['duration_s'],
    )
    return _item(session, node_id, [report])


def _tests(session: pytest.Session, config: pytest.Config, file: Path) -> Iterator[Replayed]:
    by_test: dict[str, list[pytest.TestReport]] = {}
    for line in file.read_text().splitlines():
        data: dict[str, Any] = json.loads(line)
        data['nodeid'] = f'{data["nodeid"]} ({file.stem})'
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        by_test.setdefault(report.nodeid, []).append(report)
    for node_id, reports in by_test.items():
        yield _item(session, node_id, reports)


def _item(session: pytest.Session, node_id: str, reports: list[pytest.TestReport]) -> Replayed:
    item: Replayed = Replayed.from_parent(session, name=node_id.partition('::')[2] or node_id, nodeid=node_id)
    item.reports = reports
    return item
