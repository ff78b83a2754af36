"""GET /servers and /servers/detail: pages, order, filters."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudplane.api.settings import ApiSettings
from tests.functional.api.client import Client, World


@pytest.fixture
def ids(world: World, alice: Client, new_server: dict[str, Any]) -> list[str]:
    """Five servers of alice's, oldest first: s0 runs, s1 is off, s2 has failed, the others are being built."""
    made = []
    for index in range(5):
        new_server['server']['name'] = f's{index}'
        made.append(alice.post('/servers', new_server).body['server']['id'])
    world.conductor.boot(made[0])
    world.conductor.boot(made[1], host='host2')
    alice.action(made[1], 'os-stop')
    world.conductor.end_well(made[1])
    world.conductor.fail(made[2], 'no host')
    return made


def _names(client: Client, path: str) -> list[str]:
    reply = client.get(path)
    assert reply.status == 200, reply.body
    return [server['name'] for server in reply.body['servers']]


def test_the_newest_comes_first(ids: list[str], alice: Client) -> None:
    assert _names(alice, '/servers') == ['s4', 's3', 's2', 's1', 's0']
    assert _names(alice, '/servers/detail') == ['s4', 's3', 's2', 's1', 's0']


def test_pages_are_linked_until_they_are_not_full(ids: list[str], alice: Client) -> None:
    seen: list[str] = []
    path = '/servers/detail?limit=2&sort_key=display_name&sort_dir=asc'
    while path:
        body = alice.get(path).body
        seen += [server['name'] for server in body['servers']]
        links = body.get('servers_links', [])
        href = links[0]['href'] if links else ''
        assert not href or href.startswith('http://cloud.example:8774/v2.1/servers/detail?limit=2&')
        path = href.partition('/v2.1')[2]
    assert seen == ['s0', 's1', 's2', 's3', 's4']


def test_a_next_link_keeps_the_filters(ids: list[str], alice: Client) -> None:
    body = alice.get('/servers?limit=1&status=BUILD&status=ERROR&name=s').body
    query = parse_qs(urlsplit(body['servers_links'][0]['href']).query)
    assert query == {'limit': ['1'], 'status': ['BUILD', 'ERROR'], 'name': ['s'], 'marker': [ids[4]]}


def test_no_page_is_larger_than_the_operator_allows(new_server: dict[str, Any]) -> None:
    world = World(ApiSettings(port=0, max_limit=2))
    client = Client(world.service.application)
    for _ in range(3):
        client.post('/servers', new_server)
    for path in ('/servers', '/servers?limit=1000000'):
        body = client.get(path).body
        assert (len(body['servers']), 'servers_links' in body) == (2, True)


def test_a_limit_of_nothing_shows_nothing(ids: list[str], alice: Client) -> None:
    assert alice.get('/servers?limit=0').body == {'servers': []}


@pytest.mark.parametrize(
    ('query', 'names'),
    [
        ('name=s[01]', ['s1', 's0']),
        ('name=^s4$', ['s4']),
        ('status=ACTIVE', ['s0']),
        ('status=active', ['s0']),
        ('status=SHUTOFF&status=ERROR', ['s2', 's1']),
        ('status=NONSENSE', []),
        ('status=NONSENSE&status=ACTIVE', ['s0']),
        ('flavor=1', ['s4', 's3', 's2', 's1', 's0']),
        ('flavor=2', []),
        ('image=70a599e0-31e7-49b7-b260-868f441e862b&name=s3', ['s3']),
        ('ip=192.0.2', ['s1', 's0']),
        ('ip=^192.0.2.1$', []),
        ('ip6=.*', []),
        ('ip=192&limit=1', ['s1']),
        ('deleted=False', ['s4', 's3', 's2', 's1', 's0']),
        ('deleted=True&name=s0', ['s0']),  # not an administrator: ignored
        ('host=host2&name=s0', ['s0']),
        ('unknown=yes&name=s0', ['s0']),
        ('all_tenants=False&name=s0', ['s0']),
        ('project_id=demo&name=s0', ['s0']),
        ('changes-since=2030-01-01T00:00:00Z', []),
        ('changes-since=2026-01-01T00:00:00Z&name=s0', ['s0']),
        ('changes-since=2026-01-01T00:00:00+01:00&name=s0', ['s0']),
        ('sort_dir=asc', ['s0', 's1', 's2', 's3', 's4']),
        ('sort_key=vm_state&sort_key=display_name&sort_dir=asc', ['s0', 's3', 's4', 's2', 's1']),
    ],
)
def test_a_filter_leaves_what_it_says(ids: list[str], alice: Client, query: str, names: list[str]) -> None:
    assert _names(alice, f'/servers?{query}') == names
    assert _names(alice, f'/servers/detail?{query}') == names


def test_filters_that_are_applied_here_still_fill_a_page(new_server: dict[str, Any]) -> None:
    world = World(ApiSettings(port=0, max_limit=2))
    client = Client(world.service.application)
    ids = [client.post('/servers', new_server).body['server']['id'] for _ in range(7)]
    for server_id in (ids[0], ids[3]):
        world.conductor.boot(server_id)
    first = client.get('/servers?ip=192&limit=1').body
    second = client.get(f'/servers?ip=192&limit=1&marker={ids[3]}').body
    assert [first['servers'][0]['id'], second['servers'][0]['id']] == [ids[3], ids[0]]


@pytest.mark.timeout(20)
def test_no_expression_for_addresses_stops_the_api(alice: Client, ids: list[str]) -> None:
    assert alice.get('/servers?ip=((((([0-9.]%2B)%2B)%2B)%2B)%2B)%2BX').body == {'servers': []}


@pytest.mark.parametrize(
    ('query', 'words'),
    [
        ('limit=-1', 'limit'),
        ('limit=two', 'limit'),
        ('limit=9999999999999999999999', 'limit'),
        ('marker=11111111-2222-3333-4444-555555555555', 'marker'),
        ('name=[', 'regular expression'),
        ('ip=[', 'regular expression'),
        ('changes-since=yesterday', 'changes-since'),
        ('sort_key=secret', 'secret'),
        ('sort_dir=sideways', 'sort_dir'),
        ('sort_key=name&sort_dir=asc&sort_dir=desc', 'sort_dir'),
        ('all_tenants=perhaps', 'all_tenants'),
        ('name=' + 'x' * 256, 'name'),
        ('&'.join('a=b' for _ in range(200)), '100 parameters'),
    ],
)
def test_a_query_that_means_nothing_is_refused(ids: list[str], alice: Client, query: str, words: str) -> None:
    reply = alice.get(f'/servers?{query}')
    assert (reply.status, words in reply.message) == (400, True), reply.message


def test_other_projects_are_for_administrators(ids: list[str], admin: Client, bob: Client) -> None:
    for query in ('all_tenants=1', 'all_tenants', 'project_id=demo'):
        assert bob.get(f'/servers?{query}').status == 403
        assert len(_names(admin, f'/servers?{query}')) == 5
    assert _names(bob, '/servers') == []
    assert _names(admin, '/servers') == []
    assert _names(admin, '/servers?all_tenants=1&project_id=other') == []


@pytest.mark.parametrize(
    ('query', 'names'),
    [
        ('host=host2', ['s1']),
        ('node=host1.example', ['s0']),
        ('power_state=4', ['s1']),
        ('vm_state=error', ['s2']),
        ('user_id=alice&name=s0', ['s0']),
        ('user_id=bob', []),
        ('deleted=True', ['s4']),
        ('status=DELETED', ['s4']),
    ],
)
def test_administrators_filter_by_more(
    ids: list[str], admin: Client, alice: Client, query: str, names: list[str]
) -> None:
    alice.delete(f'/servers/{ids[4]}')
    assert _names(admin, f'/servers?all_tenants=1&{query}') == names


def test_what_has_changed_includes_what_was_deleted(ids: list[str], alice: Client) -> None:
    alice.delete(f'/servers/{ids[4]}')
    body = alice.get('/servers/detail?changes-since=2026-01-01T00:00:00').body
    assert [server['status'] for server in body['servers']] == ['DELETED', 'BUILD', 'ERROR', 'SHUTOFF', 'ACTIVE']
