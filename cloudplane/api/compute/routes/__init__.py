"""The Compute API as one table: what is served where, since when, to whom, and in which shape. One module per noun."""

from typing import Final

from cloudplane.api.compute.route import Route
from cloudplane.api.compute.routes import flavor, keypair, operator, server, server_action, version

ROUTES: Final[tuple[Route, ...]] = (
    *version.ROUTES,
    *server.ROUTES,
    *server_action.ROUTES,
    *flavor.ROUTES,
    *keypair.ROUTES,
    *operator.ROUTES,
)
