"""Version documents."""

from typing import Final

from cloudplane.api.compute.resources import version
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import version as version_schemas

ROUTES: Final = (
    Route(
        method='GET',
        path='/',
        handler=version.index,
        success=200,
        policy='cloudplane:versions',
        response=version_schemas.LIST_ANSWER,
        versioned=False,
    ),
    Route(
        method='GET',
        path='/v2.1',
        handler=version.show,
        success=200,
        policy='cloudplane:versions',
        response=version_schemas.SHOW_ANSWER,
        versioned=False,
    ),
)
