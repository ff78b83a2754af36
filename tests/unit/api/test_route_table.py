"""The route table: what must be true of every route, whoever adds it."""

import re
from collections import defaultdict
from itertools import combinations

import pytest
from jsonschema import Draft202012Validator

from cloudplane.api.compute.microversions import MAX, Window
from cloudplane.api.compute.policies import RULES
from cloudplane.api.compute.route import Route, Schema
from cloudplane.api.compute.routes import ROUTES
from cloudplane.api.compute.validation import FORMATS

each_route = pytest.mark.parametrize('route', ROUTES, ids=lambda route: route.name)
# Objects whose keys are a user's own, or for the scheduler to understand.
FREE_KEYS = {
    'metadata',
    'extra_specs',
    'addresses',
    'meta',
    'hosts',
    'os:scheduler_hints',
    'OS-SCH-HNT:scheduler_hints',
}


@each_route
def test_its_policy_is_a_rule(route: Route) -> None:
    assert route.policy in RULES


@each_route
def test_its_schemas_are_schemas(route: Route) -> None:
    for schema in (route.request, route.query, route.response):
        if schema is not None:
            Draft202012Validator.check_schema(schema)


@each_route
def test_its_schemas_name_every_property_and_format(route: Route) -> None:
    for schema in (route.request, route.response):
        if schema is not None:
            _check(schema, 'body')


def _check(schema: Schema, name: str) -> None:
    if schema.get('format') is not None:
        assert schema['format'] in FORMATS.checkers
    properties = schema.get('properties', {})
    if schema.get('type') == 'object' and name not in FREE_KEYS and properties:
        assert schema.get('additionalProperties') is False, f'{name} takes any property'
    for key, inner in properties.items():
        _check(inner, key)
    if isinstance(schema.get('items'), dict):
        _check(schema['items'], name)
    for inner in (*schema.get('anyOf', ()), *schema.get('oneOf', ())):
        _check(inner, name)


@each_route
def test_it_takes_a_body_if_its_method_does(route: Route) -> None:
    assert (route.request is not None) == (route.method in ('POST', 'PUT'))


@each_route
def test_it_has_a_body_unless_its_code_says_that_there_is_none(route: Route) -> None:
    if route.success == 204:
        assert route.response is None
    if route.success == 200:
        assert route.response is not None


@each_route
def test_an_action_is_the_one_key_of_its_body(route: Route) -> None:
    if route.action:
        assert route.request is not None
        assert route.request['required'] == [route.action]
    assert route.path.endswith('/action') == bool(route.action)


@each_route
def test_its_handler_takes_the_variables_of_its_path(route: Route) -> None:
    names = route.handler.__code__.co_varnames[: route.handler.__code__.co_argcount]
    assert ('call', *re.findall(r'\{(\w+)\}', route.path)) == names


def test_windows_of_one_operation_do_not_overlap() -> None:
    same: defaultdict[tuple[str, str, str], list[Window]] = defaultdict(list)
    for route in ROUTES:
        same[route.method, route.path, route.action].append(route.versions)
    for windows in same.values():
        for one, other in combinations(windows, 2):
            first, second = sorted((one, other))
            assert first.last is not None
            assert first.last < second.first


def test_no_window_opens_after_the_newest_version() -> None:
    assert all(route.versions.first <= MAX for route in ROUTES)
