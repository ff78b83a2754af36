"""Availability zones, as the hosts in them make them."""

from collections.abc import Sequence
from typing import Any

from cloudplane.objects.service import HostDetail


def summary(zone: str, hosts: Sequence[HostDetail]) -> dict[str, Any]:
    """Whether a server can be made there."""
    return {'zoneName': zone, 'zoneState': {'available': any(_usable(host) for host in hosts)}, 'hosts': None}


def show(zone: str, hosts: Sequence[HostDetail]) -> dict[str, Any]:
    """With its hosts."""
    return {
        **summary(zone, hosts),
        'hosts': {
            host.name: {
                'cloudplane-compute': {'active': not host.disabled, 'available': host.up, 'updated_at': None},
            }
            for host in hosts
        },
    }


def _usable(host: HostDetail) -> bool:
    return host.up and not host.disabled
