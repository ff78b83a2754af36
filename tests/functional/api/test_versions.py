"""Version documents, and the microversion of a request."""

from typing import Any

import pytest

from cloudplane.api.settings import ApiSettings
from tests.functional.api.client import Client, World


def test_version_documents_need_no_token(world: World) -> None:
    nobody = Client(world.service.application, None, '')
    root = nobody.get('/').body['versions']
    assert root == [
        {
            'id': 'v2.1',
            'status': 'CURRENT',
            'version': '2.1',
            'min_version': '2.1',
            'updated': '2013-07-23T11:33:21Z',
            'links': [{'rel': 'self', 'href': 'http://cloud.example:8774/v2.1/'}],
        }
    ]
    for path in ('/v2.1', '/v2.1/'):
        version = nobody.get(path).body['version']
        assert (version['id'], version['version']) == ('v2.1', '2.1')
        assert version['links'][0] == {'rel': 'self', 'href': 'http://cloud.example:8774/v2.1/'}


def test_version_documents_are_served_whatever_version_is_asked_for(world: World) -> None:
    nobody = Client(world.service.application, None, '')
    for asked in ('compute 2.999', 'compute nonsense'):
        assert nobody.get('/v2.1', OpenStack_API_Version=asked).status == 200


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'OpenStack_API_Version': 'compute 2.1'},
        {'OpenStack_API_Version': 'Compute  latest'},
        {'OpenStack_API_Version': 'identity 3.14, compute 2.1'},
        {'OpenStack_API_Version': 'volume 3.70'},
        {'X_OpenStack_Nova_API_Version': '2.1'},
        {'X_OpenStack_Nova_API_Version': 'latest'},
        {'OpenStack_API_Version': 'compute 2.1', 'X_OpenStack_Nova_API_Version': '2.999'},
    ],
)
def test_a_version_that_is_served_is_named_on_the_answer(alice: Client, headers: dict[str, str]) -> None:
    reply = alice.get('/flavors', **headers)
    assert reply.status == 200
    assert reply.headers['openstack-api-version'] == 'compute 2.1'


@pytest.mark.parametrize(
    ('version', 'status'),
    [
        ('2.2', 406),
        ('2.0', 406),
        ('3.0', 406),
        ('1.99', 406),
        ('2.01', 400),
        ('2', 400),
        ('two', 400),
        ('2.1.1', 400),
        ('2.-1', 400),
        ('99999.1', 400),
    ],
)
def test_any_other_version_is_refused_with_both_headers(alice: Client, version: str, status: int) -> None:
    for headers in ({'OpenStack_API_Version': f'compute {version}'}, {'X_OpenStack_Nova_API_Version': version}):
        reply = alice.get('/flavors', **headers)  # the client checks the headers of every answer
        assert reply.status == status
    assert alice.get('/flavors', OpenStack_API_Version='compute').status == 400


def test_every_path_is_served_with_and_without_the_project(alice: Client) -> None:
    with_project = alice.at('/v2.1/demo')
    assert with_project.get('/flavors').status == 200
    assert with_project.get('/flavors/detail').status == 200
    assert with_project.get('/servers/').status == 200
    shown = with_project.get('/flavors/1').body['flavor']['links']
    assert [link['href'] for link in shown] == [
        'http://cloud.example:8774/v2.1/demo/flavors/1',
        'http://cloud.example:8774/demo/flavors/1',
    ]


def test_another_project_in_the_url_is_a_bad_request(alice: Client, admin: Client) -> None:
    for client in (alice, admin):
        reply = client.at('/v2.1/other').get('/servers')
        assert (reply.status, 'project id' in reply.message) == (400, True)


def test_a_proxy_may_say_how_the_service_is_reached(new_server: dict[str, Any]) -> None:
    headers = {'X_Forwarded_Proto': 'https', 'X_Forwarded_Host': 'api.example', 'X_Forwarded_Prefix': '/compute'}
    settings = ApiSettings(port=0)
    believing = World(settings)
    reply = Client(believing.service.application, None, '').get('/', **headers)
    assert reply.body['versions'][0]['links'][0]['href'] == 'http://cloud.example:8774/v2.1/'  # nobody said so

    settings.oslo_conf.set_override('enable_proxy_headers_parsing', True, 'oslo_middleware')
    believing = World(settings)
    reply = Client(believing.service.application, None, '').get('/', **headers)
    assert reply.body['versions'][0]['links'][0]['href'] == 'https://api.example/compute/v2.1/'


def test_browsers_of_allowed_origins_may_ask(new_server: dict[str, Any]) -> None:
    settings = ApiSettings(port=0)
    World(settings)  # registers the options
    settings.oslo_conf.set_override('allowed_origin', ['https://horizon.example'], 'cors')
    client = Client(World(settings).service.application, None)
    reply = client.get('/flavors', Origin='https://horizon.example')
    assert reply.headers['access-control-allow-origin'] == 'https://horizon.example'
    assert 'access-control-allow-origin' not in client.get('/flavors', Origin='https://evil.example').headers
