"""The settings as the configuration gives them."""

import pytest
from oslo_config import cfg

from cloudplane.conf import opts
from cloudplane.exceptions import ConfigurationError
from cloudplane.scheduler.settings import settings_from
from tests.unit.scheduler.fleet import FILTERS


def configuration(**changes: object) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    opts.register(conf)
    conf([], project='cloudplane', default_config_files=[], default_config_dirs=[])
    for name, value in changes.items():
        conf.set_override(name, value, group='scheduler')
    return conf


def test_the_defaults_are_those_of_the_options() -> None:
    conf = configuration()
    settings = settings_from(conf)

    assert settings.host == conf.host
    assert settings.filters == tuple(enabled.name for enabled in FILTERS)
    assert settings.weighers == {'memory': 1.0, 'cpu': 1.0}
    assert (settings.alternates, settings.max_held) == (3, 2000)
    assert (settings.assumption_s, settings.resync_s, settings.heartbeat_s) == (10, 30, 10)


@pytest.mark.parametrize('multiplier', ['much', 'nan', 'inf', ''])
def test_a_multiplier_that_is_not_a_number_is_refused_by_name(multiplier: str) -> None:
    with pytest.raises(ConfigurationError, match='the multiplier of cpu is'):
        settings_from(configuration(weighers={'memory': '1', 'cpu': multiplier}))
