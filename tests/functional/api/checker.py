"""Checks answers of the API against the response schemas of its route table, and against what every answer must have.

Test clients pass every answer through it, so that a shape that changes by mistake fails whatever test meets it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from cloudplane.api import errors
from cloudplane.api.compute import microversions
from cloudplane.api.compute.microversions import Version
from cloudplane.api.compute.route import Route
from cloudplane.api.compute.routes import ROUTES
from cloudplane.api.compute.schemas.types import ERROR

_REQUEST_ID = re.compile(r'req-[0-9a-f-]{36}')
_ERROR = Draft202012Validator(ERROR)


class _Checked:
    """One route, with its path and its response schema compiled."""

    def __init__(self, route: Route) -> None:
        self.route = route
        template = re.sub(r'\{\w+\}', '[^/]+', route.path)
        prefix = r'/v2\.1(?:/[^/]+)?' if route.versioned else ''
        self.path = re.compile(f'{prefix}{template}/?')
        self.literals = route.path.count('/') - route.path.count('{')
        self.schema = Draft202012Validator(route.response) if route.response is not None else None


class AnswerChecker:
    """Finds the route that must have answered, and compares."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        # Those with more literals first: /flavors/detail is not a flavor.
        self._routes = sorted(map(_Checked, routes), key=lambda each: -each.literals)

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: Any, action: str = ''
    ) -> None:
        """AssertionError, if this is not what the API promises. `headers` have names in lower case."""
        if path.startswith('/healthcheck'):
            return
        version = check_headers(headers)
        if status >= 400:
            check_error(status, body)
            return
        found = self._find(method, path.partition('?')[0], version, action)
        assert found is not None, f'{method} {path} answered {status}, but no route says so'
        assert status == found.route.success, f'{found.route.name} answered {status} instead of {found.route.success}'
        if found.schema is None:
            assert body is None, f'{found.route.name} must have no body, but has {body}'
        else:
            found.schema.validate(body)

    def _find(self, method: str, path: str, version: Version, action: str) -> _Checked | None:
        for each in self._routes:
            route = each.route
            same = (route.method, route.action) == (method, action) and version in route.versions
            if same and each.path.fullmatch(path):
                return each
        return None


def check_headers(headers: Mapping[str, str]) -> Version:
    """What every answer must have, errors too; the version that it names."""
    assert _REQUEST_ID.fullmatch(headers['x-openstack-request-id'])
    assert headers['x-compute-request-id'] == headers['x-openstack-request-id']
    version = Version.parse(headers[microversions.LEGACY_HEADER.lower()])
    assert headers[microversions.HEADER.lower()] == f'compute {version}'
    for name in (microversions.HEADER, microversions.LEGACY_HEADER):
        assert name in headers['vary']
    return version


def check_error(status: int, body: Any) -> None:
    """Nova's form, with the name that belongs to the code."""
    _ERROR.validate(body)
    (name,) = body
    assert name == errors.FAULT_NAMES.get(status, errors.OTHER_FAULT)
    assert body[name]['code'] == status
    assert 'Traceback' not in body[name]['message']
