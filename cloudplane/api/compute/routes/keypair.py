"""Keypairs."""

from typing import Final

from cloudplane.api.compute.microversions import until
from cloudplane.api.compute.resources import keypair
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import keypair as keypair_schemas

ROUTES: Final = (
    Route(
        method='GET',
        path='/os-keypairs',
        handler=keypair.index,
        success=200,
        policy='os_compute_api:os-keypairs:index',
        response=keypair_schemas.LIST_ANSWER,
    ),
    Route(
        method='POST',
        path='/os-keypairs',
        handler=keypair.create,
        success=200,
        policy='os_compute_api:os-keypairs:create',
        request=keypair_schemas.CREATE,
        response=keypair_schemas.CREATE_ANSWER,
        versions=until(1),  # 201 from 2.2 on
    ),
    Route(
        method='GET',
        path='/os-keypairs/{name}',
        handler=keypair.show,
        success=200,
        policy='os_compute_api:os-keypairs:show',
        response=keypair_schemas.SHOW_ANSWER,
    ),
    Route(
        method='DELETE',
        path='/os-keypairs/{name}',
        handler=keypair.delete,
        success=202,
        policy='os_compute_api:os-keypairs:delete',
        versions=until(1),  # 204 from 2.2 on
    ),
)
