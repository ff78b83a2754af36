"""Flavors."""

from typing import Any

from cloudplane.api.compute.links import Links
from cloudplane.objects.flavor import Flavor


def summary(flavor: Flavor, links: Links) -> dict[str, Any]:
    """As in a plain list."""
    return {'id': flavor.id, 'name': flavor.name, 'links': links.both('flavors', flavor.id)}


def show(flavor: Flavor, links: Links) -> dict[str, Any]:
    """All of it."""
    return {
        **summary(flavor, links),
        'ram': flavor.memory_mb,
        'vcpus': flavor.vcpus,
        'disk': flavor.root_gb,
        'swap': flavor.swap_mb or '',
        'rxtx_factor': flavor.rxtx_factor,
        'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeral_gb,
        'OS-FLV-DISABLED:disabled': flavor.disabled,
        'os-flavor-access:is_public': flavor.is_public,
    }
