"""Flavors and their extra specs."""

from typing import Final

from cloudplane.api.compute.resources import flavor
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import flavor as flavor_schemas

ROUTES: Final = (
    Route(
        method='GET',
        path='/flavors',
        handler=flavor.index,
        success=200,
        policy='os_compute_api:flavors',
        query=flavor_schemas.LIST_QUERY,
        response=flavor_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/flavors/detail',
        handler=flavor.detail,
        success=200,
        policy='os_compute_api:flavors',
        query=flavor_schemas.LIST_QUERY,
        response=flavor_schemas.DETAIL_ANSWER,
    ),
    Route(
        method='POST',
        path='/flavors',
        handler=flavor.create,
        success=200,
        policy='os_compute_api:os-flavor-manage:create',
        request=flavor_schemas.CREATE,
        response=flavor_schemas.SHOW_ANSWER,
    ),
    Route(
        method='GET',
        path='/flavors/{flavor_id}',
        handler=flavor.show,
        success=200,
        policy='os_compute_api:flavors',
        response=flavor_schemas.SHOW_ANSWER,
    ),
    Route(
        method='DELETE',
        path='/flavors/{flavor_id}',
        handler=flavor.delete,
        success=202,
        policy='os_compute_api:os-flavor-manage:delete',
    ),
    Route(
        method='GET',
        path='/flavors/{flavor_id}/os-extra_specs',
        handler=flavor.extra_specs,
        success=200,
        policy='os_compute_api:os-flavor-extra-specs:index',
        response=flavor_schemas.EXTRA_SPECS_ANSWER,
    ),
    Route(
        method='GET',
        path='/flavors/{flavor_id}/os-extra_specs/{key}',
        handler=flavor.extra_spec,
        success=200,
        policy='os_compute_api:os-flavor-extra-specs:show',
        response=flavor_schemas.EXTRA_SPEC_ANSWER,
    ),
)
