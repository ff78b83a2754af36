"""The agent's settings come from the options."""

from oslo_config import cfg

from cloudplane.compute.settings import AgentSettings, host_settings_from, settings_from
from cloudplane.conf import opts


def configured(**values: object) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    opts.register(conf)
    for name, value in values.items():
        group, _, option = name.partition('__')
        conf.set_override(option, value, group)
    conf(args=[], default_config_files=[], default_config_dirs=[])
    return conf


def test_the_defaults_of_the_options_are_those_of_the_settings() -> None:
    assert settings_from(configured()) == AgentSettings()


def test_what_an_operator_sets_arrives() -> None:
    conf = configured(operations__heartbeat_s=3.0, compute__resume_guests_at_start=True, compute__zone='west')
    assert settings_from(conf).heartbeat_s == 3.0
    assert settings_from(conf).resume_guests_at_start
    assert host_settings_from(conf).zone == 'west'
