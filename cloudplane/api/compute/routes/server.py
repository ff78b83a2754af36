"""Servers, their metadata, and what has been done to them."""

from typing import Final

from cloudplane.api.compute.resources import (
    instance_action,
    server,
    server_create,
    server_metadata,
)
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import instance_action as instance_action_schemas
from cloudplane.api.compute.schemas import server as server_schemas
from cloudplane.api.compute.schemas import server_metadata as server_metadata_schemas

ROUTES: Final = (
    Route(
        method='GET',
        path='/servers',
        handler=server.index,
        success=200,
        policy='os_compute_api:servers:index',
        query=server_schemas.LIST_QUERY,
        response=server_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/servers/detail',
        handler=server.detail,
        success=200,
        policy='os_compute_api:servers:detail',
        query=server_schemas.LIST_QUERY,
        response=server_schemas.DETAIL_ANSWER,
    ),
    Route(
        method='POST',
        path='/servers',
        handler=server_create.create,
        success=202,
        policy='os_compute_api:servers:create',
        request=server_schemas.CREATE,
        response=server_schemas.CREATE_ANSWER,
    ),
    Route(
        method='GET',
        path='/servers/{server_id}',
        handler=server.show,
        success=200,
        policy='os_compute_api:servers:show',
        response=server_schemas.SHOW_ANSWER,
    ),
    Route(
        method='PUT',
        path='/servers/{server_id}',
        handler=server.update,
        success=200,
        policy='os_compute_api:servers:update',
        request=server_schemas.UPDATE,
        response=server_schemas.UPDATE_ANSWER,
    ),
    Route(
        method='DELETE',
        path='/servers/{server_id}',
        handler=server.delete,
        success=204,
        policy='os_compute_api:servers:delete',
    ),
    Route(
        method='GET',
        path='/servers/{server_id}/metadata',
        handler=server_metadata.index,
        success=200,
        policy='os_compute_api:server-metadata:index',
        response=server_metadata_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/servers/{server_id}/metadata/{key}',
        handler=server_metadata.show,
        success=200,
        policy='os_compute_api:server-metadata:show',
        response=server_metadata_schemas.SHOW_ANSWER,
    ),
    Route(
        method='GET',
        path='/servers/{server_id}/os-instance-actions',
        handler=instance_action.index,
        success=200,
        policy='os_compute_api:os-instance-actions:list',
        response=instance_action_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/servers/{server_id}/os-instance-actions/{request_id}',
        handler=instance_action.show,
        success=200,
        policy='os_compute_api:os-instance-actions:show',
        response=instance_action_schemas.SHOW_ANSWER,
    ),
)
