"""Version documents, from which clients learn what to ask for."""

from typing import Any

from cloudplane.api.compute import microversions
from cloudplane.api.compute.links import VERSION_PREFIX, Links

UPDATED = '2013-07-23T11:33:21Z'  # when v2.1 became current: clients show it, and compare it with nothing


def summary(links: Links) -> dict[str, Any]:
    """As listed at the root."""
    return {
        'id': 'v2.1',
        'status': 'CURRENT',
        'version': str(microversions.MAX),
        'min_version': str(microversions.MIN),
        'updated': UPDATED,
        'links': [{'rel': 'self', 'href': f'{links.base}{VERSION_PREFIX}/'}],
    }


def show(links: Links) -> dict[str, Any]:
    """The document of v2.1."""
    described_by = {'rel': 'describedby', 'type': 'text/html', 'href': 'https://docs.openstack.org/api-ref/compute/'}
    base = summary(links)
    return {
        **base,
        'links': [*base['links'], described_by],
        'media-types': [
            {'base': 'application/json', 'type': 'application/vnd.openstack.compute+json;version=2.1'},
        ],
    }
