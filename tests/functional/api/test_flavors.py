"""Flavors and their extra specs."""

from typing import Any

import pytest

from tests.functional.api.client import FLAVOR, Client, World


def _create(client: Client, **flavor: Any) -> Any:
    return client.post('/flavors', {'flavor': {'name': 'm1.big', 'ram': 2048, 'vcpus': 2, 'disk': 10, **flavor}})


def test_a_flavor_is_shown_in_novas_shape(alice: Client) -> None:
    assert alice.get('/flavors/1').body['flavor'] == {
        'id': '1',
        'name': 'm1.tiny',
        'ram': 512,
        'vcpus': 1,
        'disk': 1,
        'swap': '',
        'rxtx_factor': 1.0,
        'OS-FLV-EXT-DATA:ephemeral': 0,
        'OS-FLV-DISABLED:disabled': False,
        'os-flavor-access:is_public': True,
        'links': [
            {'rel': 'self', 'href': 'http://cloud.example:8774/v2.1/flavors/1'},
            {'rel': 'bookmark', 'href': 'http://cloud.example:8774/flavors/1'},
        ],
    }


def test_a_flavor_is_made_and_removed_by_administrators(admin: Client, alice: Client) -> None:
    made = _create(
        admin, id=42, swap='512', rxtx_factor='2.0', **{'OS-FLV-EXT-DATA:ephemeral': 5, 'os-flavor-access:is_public': 1}
    )
    assert made.status == 400  # 1 is not a word for true
    made = _create(
        admin,
        id=42,
        swap='512',
        rxtx_factor='2.0',
        **{'OS-FLV-EXT-DATA:ephemeral': 5, 'os-flavor-access:is_public': 'True'},
    )
    assert made.status == 200
    flavor = made.body['flavor']
    assert (flavor['id'], flavor['swap'], flavor['rxtx_factor']) == ('42', 512, 2.0)
    assert (flavor['OS-FLV-EXT-DATA:ephemeral'], flavor['os-flavor-access:is_public']) == (5, True)
    assert alice.get('/flavors/42').body['flavor'] == flavor
    removed = admin.delete('/flavors/42')
    assert (removed.status, removed.raw) == (202, b'')
    assert alice.get('/flavors/42').status == 404
    assert admin.delete('/flavors/42').status == 404


@pytest.mark.parametrize('wish', [{}, {'id': None}, {'id': 'auto'}])
def test_without_an_id_one_is_made(admin: Client, wish: dict[str, Any]) -> None:
    assert len(_create(admin, **wish).body['flavor']['id']) == 36


def test_members_make_and_remove_no_flavors(alice: Client) -> None:
    for reply in (_create(alice), alice.delete('/flavors/1')):
        assert reply.status == 403
        assert "Policy doesn't allow os_compute_api:os-flavor-manage:" in reply.message


def test_a_flavor_that_exists_is_a_conflict(admin: Client) -> None:
    assert _create(admin, id='1').status == 409
    assert _create(admin, name='m1.tiny').status == 409


@pytest.mark.parametrize(
    ('flavor', 'words'),
    [
        ({'ram': 0}, '$.flavor.ram'),
        ({'ram': '0'}, '$.flavor.ram'),
        ({'ram': -1}, '$.flavor.ram'),
        ({'ram': 'lots'}, '$.flavor.ram'),
        ({'ram': 2**31}, '$.flavor.ram'),
        ({'ram': 10**40}, '$.flavor.ram'),
        ({'vcpus': 1.5}, '$.flavor.vcpus'),
        ({'vcpus': '0'}, '$.flavor.vcpus'),
        ({'disk': None}, '$.flavor.disk'),
        ({'name': ''}, '$.flavor.name'),
        ({'id': ' x'}, '$.flavor.id'),
        ({'id': 'a/b'}, '$.flavor.id'),
        ({'rxtx_factor': 0}, '$.flavor.rxtx_factor'),
        ({'rxtx_factor': 'fast'}, '$.flavor.rxtx_factor'),
        ({'rxtx_factor': '0.0'}, '$.flavor.rxtx_factor'),
        ({'ram': '99999999999'}, '$.flavor.ram'),
        ({'ram': '9999999999'}, '$.flavor.ram'),
        ({'description': 'x'}, 'description'),
    ],
)
def test_a_flavor_that_cannot_be_is_refused(admin: Client, flavor: dict[str, Any], words: str) -> None:
    reply = _create(admin, **flavor)
    assert (reply.status, words in reply.message) == (400, True), reply.message


def test_private_flavors_are_not_there_for_members(world: World, admin: Client, alice: Client) -> None:
    world.conductor.flavors['2'] = FLAVOR.evolve(id='2', name='secret', is_public=False)
    assert alice.get('/flavors/2').status == 404
    assert admin.get('/flavors/2').status == 200
    for query, mine, theirs in (
        ('', ['1'], ['1']),
        ('?is_public=None', ['1', '2'], ['1']),
        ('?is_public=False', ['2'], ['1']),
        ('?is_public=true', ['1'], ['1']),
    ):
        assert _ids(admin, query) == mine
        assert _ids(alice, query) == theirs
    assert alice.get('/flavors?is_public=maybe').status == 400


def _ids(client: Client, query: str) -> list[str]:
    plain = [flavor['id'] for flavor in client.get(f'/flavors{query}').body['flavors']]
    detailed = [flavor['id'] for flavor in client.get(f'/flavors/detail{query}').body['flavors']]
    assert plain == detailed
    return plain


def test_flavors_are_filtered_sorted_and_paged(world: World, alice: Client) -> None:
    world.conductor.flavors |= {
        '2': FLAVOR.evolve(id='2', name='a', memory_mb=2048, root_gb=20),
        '3': FLAVOR.evolve(id='3', name='b', memory_mb=1024, root_gb=5),
    }
    assert _ids(alice, '?minRam=1024') == ['2', '3']
    assert _ids(alice, '?minDisk=20') == ['2']
    assert _ids(alice, '?sort_key=memory_mb') == ['1', '3', '2']
    assert _ids(alice, '?sort_key=name&sort_dir=desc') == ['1', '3', '2']
    first = alice.get('/flavors?limit=2').body
    assert first['flavors_links'][0]['href'].endswith('/v2.1/flavors?limit=2&marker=2')
    assert _ids(alice, '?limit=2&marker=2') == ['3']
    for query in ('marker=9', 'minRam=x', 'sort_key=x', 'sort_dir=up'):
        assert alice.get(f'/flavors?{query}').status == 400


def test_extra_specs_are_shown(alice: Client) -> None:
    assert alice.get('/flavors/1/os-extra_specs').body == {'extra_specs': {'hw:cpu_policy': 'shared'}}
    assert alice.get('/flavors/1/os-extra_specs/hw:cpu_policy').body == {'hw:cpu_policy': 'shared'}
    assert alice.get('/flavors/1/os-extra_specs/other').status == 404
    assert alice.get('/flavors/9/os-extra_specs').status == 404
    assert alice.get('/flavors/m1.tiny').status == 404
