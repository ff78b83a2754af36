"""Filters of oslo.middleware, with their options taken from this service's configuration instead of a global one.

One that is not switched on is left out of the pipeline, for each costs every request a tenth of a millisecond.
"""

from collections.abc import Callable
from typing import Final, cast
from wsgiref.types import WSGIApplication

from oslo_middleware import cors as oslo_cors
from oslo_middleware import http_proxy_to_wsgi as oslo_proxy

from cloudplane.api.compute import microversions
from cloudplane.api.pipeline import wiring_of

Filter = Callable[[WSGIApplication], WSGIApplication]

_ALLOWED_HEADERS: Final = (
    'X-Auth-Token',
    'X-OpenStack-Request-ID',
    'Idempotency-Key',
    microversions.HEADER,
    microversions.LEGACY_HEADER,
)
_EXPOSED_HEADERS: Final = (
    'X-OpenStack-Request-ID',
    'X-Compute-Request-ID',
    'Location',
    microversions.HEADER,
    microversions.LEGACY_HEADER,
)


def cors(global_conf: dict[str, str], **_local_conf: str) -> Filter:
    """For PasteDeploy. Lets pages of the origins in [cors] allowed_origin use the API from a browser."""
    conf = wiring_of(global_conf).settings.oslo_conf
    conf.register_opts(oslo_cors.OPTS, 'cors')
    # What an API of this kind needs; an operator's own lists replace these.
    conf.set_default('allow_headers', list(_ALLOWED_HEADERS), 'cors')
    conf.set_default('expose_headers', list(_EXPOSED_HEADERS), 'cors')
    if not conf.cors.allowed_origin:
        return _as_it_is
    return lambda application: cast(WSGIApplication, oslo_cors.CORS(application, conf))


def http_proxy_to_wsgi(global_conf: dict[str, str], **_local_conf: str) -> Filter:
    """For PasteDeploy. Believes a proxy about host and scheme, if [oslo_middleware] says that there is one."""
    conf = wiring_of(global_conf).settings.oslo_conf
    conf.register_opts(oslo_proxy.OPTS, 'oslo_middleware')
    if not conf.oslo_middleware.enable_proxy_headers_parsing:
        return _as_it_is
    return lambda application: cast(WSGIApplication, oslo_proxy.HTTPProxyToWSGI(application, conf))


def _as_it_is(application: WSGIApplication) -> WSGIApplication:
    return application
