"""The plug-ins that the contributors' page shows are plug-ins that work."""

import re
from pathlib import Path
from typing import Any

import pytest

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import EnabledFilter, EnabledWeigher
from cloudplane.scheduler.select import select
from tests.unit.scheduler.fleet import SETTINGS, host, request, table

PAGE = Path(__file__).parents[3] / 'doc' / 'contributor' / 'filters-and-weighers.md'


def shown(class_name: str) -> Any:
    """A class of the page, made."""
    for block in re.findall(r'```python\n(""".*?)```', PAGE.read_text(), re.DOTALL):
        if f'class {class_name}(' in block:
            names: dict[str, Any] = {}
            exec(block, names)  # our own page
            return names[class_name]()
    raise AssertionError(f'{PAGE.name} shows no {class_name}')


FLEET = [
    host(1, architecture='aarch64', used_disk_gb=5),
    host(2, architecture='x86_64', used_disk_gb=3),
    host(3, architecture='x86_64', used_disk_gb=9),
]


@pytest.mark.parametrize(
    ('name', 'spec', 'passing'),
    [
        ('ArchitectureFilter', request(image_properties={'hw_architecture': 'x86_64'}), {2, 3}),
        ('ArchitectureFilter', request(image_properties={'hw_architecture': 's390x'}), set()),
        ('ArchitectureFilter', request(), {1, 2, 3}),
        ('NamePrefixFilter', request(scheduler_hints={'name_prefix': 'h3'}), {3}),
    ],
)
def test_the_filters_of_the_page_work(name: str, spec: BuildSpec, passing: set[int]) -> None:
    (selection,) = select([spec], table(FLEET).view(), (EnabledFilter('shown', shown(name)),), (), SETTINGS)

    assert set(selection.hosts) == passing


@pytest.mark.parametrize(('name', 'ranking'), [('DiskWeigher', (2, 1, 3)), ('OldestWeigher', (1, 2, 3))])
def test_the_weighers_of_the_page_work(name: str, ranking: tuple[int, ...]) -> None:
    weighers = (EnabledWeigher('shown', shown(name), 1.0),)

    (selection,) = select([request()], table(FLEET).view(), (), weighers, SETTINGS)

    assert selection.hosts == ranking
