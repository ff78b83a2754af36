"""The options of [libvirt] and the settings made of them."""

from oslo_config import cfg

from cloudplane.compute.virt.libvirt.settings import LibvirtSettings, settings_from
from cloudplane.conf import libvirt as options


def test_the_settings_are_the_options_with_the_same_defaults() -> None:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.OPTS, group=options.GROUP)
    conf([])

    assert settings_from(conf.libvirt) == LibvirtSettings()
    assert {option.name for option in options.OPTS} == set(LibvirtSettings.__struct_fields__)


def test_every_option_says_when_to_change_it() -> None:
    assert [option.name for option in options.OPTS if len(option.help or '') < 40] == []
