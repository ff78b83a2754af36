"""Flavors and their extra specs. All flavors together are small, so they are filtered and paged here."""

import uuid
from collections.abc import Callable
from typing import Any, Final

from cloudplane.api.compute import paging, words
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import flavor as views
from cloudplane.exceptions import BadRequest, FlavorNotFound, NotFound
from cloudplane.objects.flavor import Flavor

_SORT_KEYS: Final[dict[str, Callable[[Flavor], Any]]] = {
    'flavorid': lambda flavor: flavor.id,
    'id': lambda flavor: flavor.id,
    'name': lambda flavor: flavor.name,
    'memory_mb': lambda flavor: flavor.memory_mb,
    'vcpus': lambda flavor: flavor.vcpus,
    'root_gb': lambda flavor: flavor.root_gb,
    'ephemeral_gb': lambda flavor: flavor.ephemeral_gb,
    'swap': lambda flavor: flavor.swap_mb,
    'rxtx_factor': lambda flavor: flavor.rxtx_factor,
    'is_public': lambda flavor: flavor.is_public,
    'disabled': lambda flavor: flavor.disabled,
}


def index(call: Call) -> Answer:
    """A page of flavors, by id and name."""
    return _page(call, 'flavors', views.summary)


def detail(call: Call) -> Answer:
    """A page of flavors, with everything."""
    return _page(call, 'flavors/detail', views.show)


def show(call: Call, flavor_id: str) -> Answer:
    """One flavor."""
    return Answer({'flavor': views.show(_find(call, flavor_id), call.links)})


def create(call: Call) -> Answer:
    """Make a flavor."""
    asked = call.body['flavor']
    flavor = Flavor(
        id=_new_id(asked.get('id')),
        name=asked['name'],
        memory_mb=int(asked['ram']),
        vcpus=int(asked['vcpus']),
        root_gb=int(asked['disk']),
        ephemeral_gb=int(asked.get('OS-FLV-EXT-DATA:ephemeral', 0)),
        swap_mb=int(asked.get('swap', 0)),
        rxtx_factor=float(asked.get('rxtx_factor', 1.0)),
        is_public=asked.get('os-flavor-access:is_public', True) in words.TRUE,
    )
    return Answer({'flavor': views.show(call.services.conductor.flavor_create(call.context, flavor), call.links)})


def delete(call: Call, flavor_id: str) -> Answer:
    """Remove a flavor; servers keep their copy."""
    call.services.conductor.flavor_delete(call.context, flavor_id)
    return Answer()


def extra_specs(call: Call, flavor_id: str) -> Answer:
    """What the scheduler and the hypervisor are told beside the size."""
    return Answer({'extra_specs': _find(call, flavor_id).extra_specs})


def extra_spec(call: Call, flavor_id: str, key: str) -> Answer:
    """One of them."""
    specs = _find(call, flavor_id).extra_specs
    if key not in specs:
        raise NotFound(f'Flavor {flavor_id} has no extra specs with key {key}.')
    return Answer({key: specs[key]})


def _find(call: Call, flavor_id: str) -> Flavor:
    """A flavor that the caller may see: a private one is not there for others than administrators."""
    flavor = call.services.conductor.flavor_get(call.context, flavor_id)
    if not (flavor.is_public or call.context.is_admin):
        raise FlavorNotFound(f'Flavor {flavor_id} could not be found.')
    return flavor


def _page(call: Call, path: str, view: Callable[..., dict[str, Any]]) -> Answer:
    size = paging.page_size(call)
    flavors = paging.page(call, _matching(call), lambda flavor: flavor.id, size)
    links = paging.next_links(call, 'flavors', path, [flavor.id for flavor in flavors], size)
    return Answer({'flavors': [view(flavor, call.links) for flavor in flavors], **links})


def _matching(call: Call) -> list[Flavor]:
    is_public = _wanted_publicity(call)
    min_memory_mb, min_root_gb = call.query.number('minRam') or 0, call.query.number('minDisk') or 0
    flavors = [
        flavor
        for flavor in call.services.conductor.flavor_list(call.context)
        if is_public in (None, flavor.is_public)
        and (call.context.is_admin or not flavor.disabled)
        and flavor.memory_mb >= min_memory_mb
        and flavor.root_gb >= min_root_gb
    ]
    return sorted(flavors, key=_sort_key(call), reverse=call.query.one('sort_dir') == 'desc')


def _wanted_publicity(call: Call) -> bool | None:
    """Public ones, private ones, or (None) both. Only administrators may choose; everybody may ask."""
    asked = (call.query.one('is_public') or 'true').strip().lower()
    if asked not in (*words.QUERY_TRUE, *words.QUERY_FALSE, 'none'):
        raise BadRequest('Invalid is_public filter: it must be true, false or none.')
    if not call.context.is_admin:
        return True
    return None if asked == 'none' else asked in words.QUERY_TRUE


def _sort_key(call: Call) -> Callable[[Flavor], Any]:
    name = call.query.one('sort_key') or 'flavorid'
    key = _SORT_KEYS.get(name)
    if key is None:
        raise BadRequest(f'Flavors cannot be sorted by {name!r}; known are {", ".join(_SORT_KEYS)}.')
    return lambda flavor: (key(flavor), flavor.id)


def _new_id(asked: str | int | None) -> str:
    return str(uuid.uuid4()) if asked in (None, 'auto') else str(asked)
