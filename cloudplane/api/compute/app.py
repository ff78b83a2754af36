"""The Compute API as a WSGI application: Falcon's router over the route table."""

import logging
import re
from collections import defaultdict
from typing import Any, cast
from wsgiref.types import WSGIApplication

import falcon

from cloudplane.api import errors
from cloudplane.api.compute.call import Services
from cloudplane.api.compute.dispatch import Endpoint
from cloudplane.api.compute.links import VERSION_PREFIX
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.routes import ROUTES
from cloudplane.api.middleware import answers
from cloudplane.api.pipeline import wiring_of
from cloudplane.api.settings import ApiSettings
from cloudplane.exceptions import BadRequest, CloudplaneException

LOG = logging.getLogger(__name__)

# Control characters: as they are, and percent-encoded.
_CONTROL_IN_PATH = re.compile(r'[\x00-\x1f\x7f]')
_CONTROL_IN_QUERY = re.compile(r'[\x00-\x1f\x7f]|%(?:[01][0-9a-f]|7f)', re.IGNORECASE)


def app_factory(global_conf: dict[str, str], **_local_conf: str) -> WSGIApplication:
    """For PasteDeploy."""
    wiring = wiring_of(global_conf)
    return create_app(wiring.settings, wiring.services)


def create_app(settings: ApiSettings, services: Services) -> WSGIApplication:
    """The application. It expects what the pipeline's filters put into the environ."""
    app: Any = falcon.App(middleware=[_CharacterGuard()])
    app.req_options.strip_url_path_trailing_slash = True
    for path, routes in _by_path().items():
        endpoint = Endpoint(routes, services, settings.public_endpoint)
        for template in _templates(path, routes[0]):
            app.add_route(template, endpoint)
    app.add_error_handler(Exception, _on_fault)
    app.add_error_handler(falcon.HTTPError, _on_falcon_error)
    app.add_error_handler(CloudplaneException, _on_refusal)
    return cast(WSGIApplication, app)


def _by_path() -> dict[tuple[str, bool], list[Route]]:
    found: defaultdict[tuple[str, bool], list[Route]] = defaultdict(list)
    for route in ROUTES:
        found[route.path, route.versioned].append(route)
    return found


def _templates(path: tuple[str, bool], route: Route) -> tuple[str, ...]:
    """Where a path is served: with and without a project id, because either may stand in a client's catalog."""
    if not route.versioned:
        return (path[0],)
    return f'{VERSION_PREFIX}{path[0]}', f'{VERSION_PREFIX}/{{project_id}}{path[0]}'


class _CharacterGuard:
    """Refuses control characters before anything looks at the URL: %00 ends a string in some database."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        if _CONTROL_IN_PATH.search(req.path) or _CONTROL_IN_QUERY.search(req.query_string):
            raise BadRequest('The URL holds control characters.')


def _on_refusal(req: falcon.Request, resp: falcon.Response, error: CloudplaneException, _params: Any) -> None:
    answer = errors.answer_to(error)
    if answer is None:
        _on_fault(req, resp, error, _params)
    else:
        _write(resp, answer)


def _on_falcon_error(_req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, _params: Any) -> None:
    code = int(error.status.split()[0]) if isinstance(error.status, str) else int(error.status)
    given: Any = error.headers or {}
    _write(
        resp,
        errors.Answer(
            code=code,
            message=error.description or errors.plain_message(code),
            headers=list(given.items() if isinstance(given, dict) else given),
        ),
    )


def _on_fault(req: falcon.Request, resp: falcon.Response, error: Exception, _params: Any) -> None:
    request_id = req.env[answers.REQUEST_ID]
    LOG.error('%s %s failed (%s)', req.method, req.path, request_id, exc_info=error)
    _write(resp, errors.unexpected(request_id))


def _write(resp: falcon.Response, answer: errors.Answer) -> None:
    resp.status = str(answer.code)
    resp.content_type = 'application/json'
    resp.data = answer.body
    for name, value in answer.headers:
        resp.set_header(name, value)
