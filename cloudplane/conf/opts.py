"""All options: registered by cmd/, listed for oslo-config-generator."""

from typing import Any

from oslo_config import cfg

from cloudplane.conf import api, base, compute, database, fake, images, libvirt, operations, quota, scheduler

MODULES = (base, api, compute, database, fake, images, libvirt, operations, quota, scheduler)


def register(conf: cfg.ConfigOpts) -> None:
    """Register every option of cloudplane."""
    for module in MODULES:
        conf.register_opts(module.OPTS, group=None if module.GROUP == 'DEFAULT' else module.GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """For oslo-config-generator: (group, options)."""
    return [(module.GROUP, list(module.OPTS)) for module in MODULES]
