"""From a Falcon request to a handler: version, project, policy, query, body, in this order; then the answer."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast

import falcon
import msgspec

from cloudplane.api.compute import policies, request_body
from cloudplane.api.compute.call import Answer, Call, Services
from cloudplane.api.compute.links import Links
from cloudplane.api.compute.microversions import Version
from cloudplane.api.compute.query import Query
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.validation import Validator
from cloudplane.api.middleware import microversion
from cloudplane.api.middleware.request_id import CONTEXT
from cloudplane.context import RequestContext
from cloudplane.exceptions import BadRequest, NotFound
from cloudplane.objects.operation import Idempotency

Responder = Callable[..., None]

_KEY_FORM = re.compile(r'[\x21-\x7e]{1,255}', re.ASCII)


class Operation:
    """One route, with its schemas compiled."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.status = str(route.success)
        self._request = Validator(route.request) if route.request is not None else None
        self._query = Validator(route.query) if route.query is not None else None

    def validate(self, query: Query, body: dict[str, Any]) -> None:
        """BadRequest, with the path to what is wrong."""
        if self._query is not None and query.values:
            self._query.check(query.values, 'the query, ')
        if self._request is not None:
            self._request.check(body)


class Endpoint:
    """What serves one path: a Falcon resource, with a responder for each method of the route table."""

    def __init__(self, routes: Iterable[Route], services: Services, public_endpoint: str) -> None:
        self._services, self._public_endpoint = services, public_endpoint
        by_method: defaultdict[str, list[Operation]] = defaultdict(list)
        for route in routes:
            by_method[route.method].append(Operation(route))
        for method, operations in by_method.items():
            setattr(self, f'on_{method.lower()}', self._responder(operations))

    def _responder(self, operations: list[Operation]) -> Responder:
        takes_body = any(operation.route.request is not None for operation in operations)

        def respond(req: falcon.Request, resp: falcon.Response, **variables: str) -> None:
            self._serve(operations, takes_body, req, resp, variables)

        return respond

    def _serve(
        self,
        operations: list[Operation],
        takes_body: bool,
        req: falcon.Request,
        resp: falcon.Response,
        variables: dict[str, str],
    ) -> None:
        context: RequestContext = req.env[CONTEXT]
        version = _version(req, operations[0].route)
        project_id = variables.pop('project_id', None)
        if project_id is not None and project_id != context.project_id:
            raise BadRequest(f'The project id {project_id!r} of the URL is not that of the token.')
        raw = b''
        body: dict[str, Any] = {}
        if takes_body:
            request_body.check_media_type(req.env)
            raw = request_body.read_bytes(req.env)
            body = request_body.decode(raw)
        operation = _chosen(operations, version, body)
        policies.enforce(operation.route.policy, context)
        query = Query(req.query_string)
        operation.validate(query, body)
        call = Call(
            context=context,
            version=version,
            services=self._services,
            body=body,
            query=query,
            links=Links(self._public_endpoint or _base(req), project_id),
            idempotency=_idempotency(req, version, raw),
        )
        _write(resp, operation, operation.route.handler(call, **variables))


def _version(req: falcon.Request, route: Route) -> Version:
    if route.versioned and microversion.REFUSAL in req.env:
        raise cast(Exception, req.env[microversion.REFUSAL])
    return cast(Version, req.env[microversion.VERSION])


def _chosen(operations: list[Operation], version: Version, body: dict[str, Any]) -> Operation:
    """The operation that is meant. NotFound: none at this version. BadRequest: an unknown action."""
    if not operations[0].route.action:
        for operation in operations:
            if version in operation.route.versions:
                return operation
        raise NotFound('The resource could not be found.')
    if len(body) != 1:
        raise BadRequest('The body must have exactly one key: the name of the action.')
    action = next(iter(body))
    for operation in operations:
        if operation.route.action == action and version in operation.route.versions:
            return operation
    raise BadRequest(f'There is no such action: {action[:60]}')


def _base(req: falcon.Request) -> str:
    return f'{req.scheme}://{req.netloc}{req.root_path}'


def _idempotency(req: falcon.Request, version: Version, raw: bytes) -> Idempotency | None:
    key = req.env.get('HTTP_IDEMPOTENCY_KEY')
    if key is None or req.method == 'GET':
        return None
    if not _KEY_FORM.fullmatch(key):
        raise BadRequest('Idempotency-Key must be 1 to 255 visible ASCII characters.')
    asked = '\n'.join((req.method, req.path, req.query_string, str(version), ''))
    return Idempotency(key=key, request_hash=hashlib.sha256(asked.encode() + raw).hexdigest())


def _write(resp: falcon.Response, operation: Operation, answer: Answer) -> None:
    resp.status = operation.status
    for name, value in answer.headers:
        resp.set_header(name, value)
    if answer.body is not None:
        resp.content_type = 'application/json'
        resp.data = msgspec.json.encode(answer.body)
