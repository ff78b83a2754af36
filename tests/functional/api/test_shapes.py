"""The response schemas are strict: an answer that is changed anywhere is noticed by the checker of every test."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cloudplane.api.compute.route import Route
from cloudplane.api.compute.routes import ROUTES
from tests.functional.api.checker import AnswerChecker
from tests.functional.api.client import Client, World

# Objects whose keys are a user's own; their values are checked.
FREE_KEYS = {'metadata', 'extra_specs', 'addresses', 'hosts', 'host1', 'cloudplane-compute', 'meta'}
OPTIONAL = {'servers_links', 'flavors_links', 'private_key', 'type'}

Path = tuple[str | int, ...]


@pytest.fixture
def answers(world: World, admin: Client, new_server: dict[str, Any]) -> dict[str, Any]:
    """The body of a success of every route that has one, by the name of the route."""
    new_server['server']['metadata'] = {'role': 'web'}
    posted = admin.post('/servers', new_server)
    server_id = posted.body['server']['id']
    world.conductor.boot(server_id)
    request_id = posted.headers['x-openstack-request-id']
    made = admin.post('/os-keypairs', {'keypair': {'name': 'one'}})
    flavor = {'name': 'f', 'ram': 1, 'vcpus': 1, 'disk': 1, 'id': '2'}
    names = {
        'server_id': server_id,
        'request_id': request_id,
        'flavor_id': '1',
        'hypervisor_id': '1',
        'name': 'one',
    }
    keys = {'/servers/{server_id}/metadata/{key}': 'role', '/flavors/{flavor_id}/os-extra_specs/{key}': 'hw:cpu_policy'}
    found = {
        'POST /servers': posted.body,
        'POST /os-keypairs': made.body,
        'POST /flavors': admin.post('/flavors', {'flavor': flavor}).body,
        'PUT /servers/{server_id}': admin.put(f'/servers/{server_id}', {'server': {'name': 'x'}}).body,
        'POST /servers/{server_id}/action os-getConsoleOutput': admin.action(server_id, 'os-getConsoleOutput', {}).body,
    }
    nobody = Client(world.service.application, None, '')
    for route in ROUTES:
        if route.method == 'GET':
            path = route.path.format(**names, key=keys.get(route.path))
            client = admin if route.versioned else nobody
            found[route.name] = client.get(path + ('?limit=1' if route.query else '')).body
    return found


def test_every_route_with_a_body_is_among_the_answers(answers: dict[str, Any]) -> None:
    assert set(answers) == {route.name for route in ROUTES if route.response is not None}


def test_an_answer_that_lacks_anything_is_noticed(answers: dict[str, Any]) -> None:
    for route, body in _bodies(answers):
        for path in _objects(body):
            for key in list(_at(body, path)):
                if key in OPTIONAL or (path and path[-1] in FREE_KEYS):
                    continue
                changed = copy.deepcopy(body)
                del _at(changed, path)[key]
                _must_fail(route, changed, (*path, key))


def test_an_answer_that_has_anything_more_is_noticed(answers: dict[str, Any]) -> None:
    for route, body in _bodies(answers):
        for path in _objects(body):
            if not (path and path[-1] in FREE_KEYS):
                changed = copy.deepcopy(body)
                _at(changed, path)['surprise'] = {'more': 'than was said'}
                _must_fail(route, changed, path)


def test_a_value_of_another_type_is_noticed(answers: dict[str, Any]) -> None:
    for route, body in _bodies(answers):
        for path in _objects(body):
            for key in _at(body, path):
                changed = copy.deepcopy(body)
                _at(changed, path)[key] = [['something', 'else']]
                _must_fail(route, changed, (*path, key))


def test_another_code_is_noticed(answers: dict[str, Any]) -> None:
    for route, body in _bodies(answers):
        with pytest.raises(AssertionError):
            AnswerChecker([route]).check(route.method, _url(route), 203, _headers(), body, route.action)


def _bodies(answers: dict[str, Any]) -> Iterator[tuple[Route, Any]]:
    for route in ROUTES:
        if route.name in answers:
            yield route, answers[route.name]


def _objects(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _objects(child, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _must_fail(route: Route, body: Any, path: Path) -> None:
    checker = AnswerChecker([route])
    try:
        checker.check(route.method, _url(route), route.success, _headers(), body, route.action)
    except Exception:  # noqa: BLE001 - a schema's complaint or an assertion's: both are what is wanted
        return
    pytest.fail(f'{route.name}: a change at {path} was not noticed')


def _url(route: Route) -> str:
    path = re.sub(r'\{\w+\}', 'x', route.path)
    return f'/v2.1{path}' if route.versioned else path


def _headers() -> dict[str, str]:
    request_id = 'req-00000000-0000-0000-0000-000000000000'
    return {
        'x-openstack-request-id': request_id,
        'x-compute-request-id': request_id,
        'openstack-api-version': 'compute 2.1',
        'x-openstack-nova-api-version': '2.1',
        'vary': 'OpenStack-API-Version, X-OpenStack-Nova-API-Version',
    }
