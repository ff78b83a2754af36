"""How plug-ins are found, and what stops the service at its start."""

from pathlib import Path

import pytest
from stevedore.extension import ExtensionManager

from cloudplane.exceptions import ConfigurationError
from cloudplane.scheduler import plugins
from cloudplane.scheduler.weighers.cpu import CpuWeigher
from tests.unit.scheduler.fleet import FILTERS, WEIGHERS
from tests.unit.scheduler.plugin_examples import EvenFilter, LowestIdWeigher

EXAMPLES = 'tests.unit.scheduler.plugin_examples'
ENTRY_POINTS = f"""\
[cloudplane.scheduler.filters]
even = {EXAMPLES}:EvenFilter
away = {EXAMPLES}.nowhere:Filter
gone = {EXAMPLES}:Vanished
fragile = {EXAMPLES}:CannotBeMade
stranger = {EXAMPLES}:NotAPlugin
[cloudplane.scheduler.weighers]
lowest = {EXAMPLES}:LowestIdWeigher
"""


@pytest.fixture
def _other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings plug-ins of its own."""
    metadata = tmp_path / 'site' / 'other_package-1.0.dist-info'
    metadata.mkdir(parents=True)
    (metadata / 'METADATA').write_text('Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n')
    (metadata / 'entry_points.txt').write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(metadata.parent))
    monkeypatch.setattr(ExtensionManager, 'ENTRY_POINT_CACHE', {})
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def test_the_default_plugins_are_found_in_their_configured_order() -> None:
    names = [enabled.name for enabled in reversed(FILTERS)]

    loaded = plugins.load(names, {'cpu': 2.0, 'memory': -1.0})

    assert [enabled.name for enabled in loaded.filters] == names
    assert [type(enabled.filter) for enabled in loaded.filters] == [type(each.filter) for each in reversed(FILTERS)]
    assert [(enabled.name, enabled.multiplier) for enabled in loaded.weighers] == [('cpu', 2.0), ('memory', -1.0)]
    assert isinstance(loaded.weighers[0].weigher, CpuWeigher)


def test_every_default_is_registered() -> None:
    loaded = plugins.load(
        [enabled.name for enabled in FILTERS], {enabled.name: enabled.multiplier for enabled in WEIGHERS}
    )

    assert (len(loaded.filters), len(loaded.weighers)) == (len(FILTERS), len(WEIGHERS))


@pytest.mark.usefixtures('_other_package')
def test_a_plugin_of_another_package_is_found() -> None:
    loaded = plugins.load(['compute', 'even'], {'lowest': 1.0})

    assert isinstance(loaded.filters[1].filter, EvenFilter)
    assert isinstance(loaded.weighers[0].weigher, LowestIdWeigher)


@pytest.mark.usefixtures('_other_package')
@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('typo', 'no entry point of cloudplane.scheduler.filters is named typo'),
        ('away', 'the plug-in away of cloudplane.scheduler.filters could not be loaded .*ModuleNotFoundError'),
        ('gone', 'the plug-in gone of cloudplane.scheduler.filters could not be loaded .*Vanished'),
        ('fragile', 'the plug-in fragile of cloudplane.scheduler.filters could not be made: RuntimeError: no such'),
        ('stranger', 'the plug-in stranger of cloudplane.scheduler.filters is neither a Filter nor a HostFilter'),
    ],
)
def test_a_filter_that_is_missing_or_broken_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plugins.load(['compute', name], {})


def test_a_weigher_that_is_missing_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r'no entry point of cloudplane\.scheduler\.weighers is named weight'):
        plugins.load([], {'weight': 1.0})


def test_a_filter_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match='twice'):
        plugins.load(['compute', 'compute'], {})
