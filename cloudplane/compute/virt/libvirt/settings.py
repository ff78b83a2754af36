"""The driver's settings as plain values: read once from the configuration, then handed to the constructors."""

from typing import Any

import msgspec


class LibvirtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What conf/libvirt.py explains, option by option and under the same names."""

    uri: str = 'qemu:///system'
    connect_timeout_s: float = 30.0
    keepalive_interval_s: int = 5
    keepalive_count: int = 5
    virt_type: str = 'auto'
    machine_type: str = ''
    cpu_mode: str = 'auto'
    cpu_model: str = ''
    disk_cache: str = 'writeback'
    vnc_enabled: bool = False
    network_name: str = 'cloudplane'
    network_bridge: str = 'cloudplane0'
    network_cidr: str = '192.168.148.0/24'


def settings_from(conf_group: Any) -> LibvirtSettings:
    """The settings in the group [libvirt] of a configuration."""
    return LibvirtSettings(**{name: getattr(conf_group, name) for name in LibvirtSettings.__struct_fields__})
