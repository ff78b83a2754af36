"""The actions on a server."""

from typing import Final

from cloudplane.api.compute.microversions import until
from cloudplane.api.compute.resources import server_action, server_snapshot
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.schemas import server_action as server_action_schemas

_PATH: Final = '/servers/{server_id}/action'

ROUTES: Final = (
    Route(
        method='POST',
        path=_PATH,
        action='os-start',
        handler=server_action.start,
        success=202,
        policy='os_compute_api:servers:start',
        request=server_action_schemas.START,
    ),
    Route(
        method='POST',
        path=_PATH,
        action='os-stop',
        handler=server_action.stop,
        success=202,
        policy='os_compute_api:servers:stop',
        request=server_action_schemas.STOP,
    ),
    Route(
        method='POST',
        path=_PATH,
        action='reboot',
        handler=server_action.reboot,
        success=202,
        policy='os_compute_api:servers:reboot',
        request=server_action_schemas.REBOOT,
    ),
    Route(
        method='POST',
        path=_PATH,
        action='createImage',
        handler=server_snapshot.create_image,
        success=202,
        policy='os_compute_api:servers:create_image',
        request=server_action_schemas.CREATE_IMAGE,
        versions=until(44),  # from 2.45 on the id is in a body instead of Location
    ),
    Route(
        method='POST',
        path=_PATH,
        action='os-getConsoleOutput',
        handler=server_action.console_output,
        success=200,
        policy='os_compute_api:os-console-output',
        request=server_action_schemas.CONSOLE_OUTPUT,
        response=server_action_schemas.CONSOLE_OUTPUT_ANSWER,
    ),
)
