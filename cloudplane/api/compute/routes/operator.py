"""What operators look at: daemons, hypervisors, availability zones."""

from typing import Final

from cloudplane.api.compute.resources import availability_zone, hypervisor, service
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import availability_zone as availability_zone_schemas
from cloudplane.api.compute.schemas import hypervisor as hypervisor_schemas
from cloudplane.api.compute.schemas import service as service_schemas

ROUTES: Final = (
    Route(
        method='GET',
        path='/os-services',
        handler=service.index,
        success=200,
        policy='os_compute_api:os-services:list',
        query=service_schemas.LIST_QUERY,
        response=service_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/os-hypervisors',
        handler=hypervisor.index,
        success=200,
        policy='os_compute_api:os-hypervisors:list',
        response=hypervisor_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/os-hypervisors/detail',
        handler=hypervisor.detail,
        success=200,
        policy='os_compute_api:os-hypervisors:list-detail',
        response=hypervisor_schemas.DETAIL_ANSWER,
    ),
    Route(
        method='GET',
        path='/os-hypervisors/{hypervisor_id}',
        handler=hypervisor.show,
        success=200,
        policy='os_compute_api:os-hypervisors:show',
        response=hypervisor_schemas.SHOW_ANSWER,
    ),
    Route(
        method='GET',
        path='/os-availability-zone',
        handler=availability_zone.index,
        success=200,
        policy='os_compute_api:os-availability-zone:list',
        response=availability_zone_schemas.LIST_ANSWER,
    ),
    Route(
        method='GET',
        path='/os-availability-zone/detail',
        handler=availability_zone.detail,
        success=200,
        policy='os_compute_api:os-availability-zone:detail',
        response=availability_zone_schemas.DETAIL_ANSWER,
    ),
)
