"""What clients and operators read: pages, filters, histories, hosts, flavors and keypairs."""

import pytest

from cloudplane import exceptions, states
from cloudplane.conductor.db import models
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.keypair import Keypair
from cloudplane.objects.server import ServerQuery
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def _names(bench: Bench, **query: object) -> list[str]:
    return [server.name for server in bench.call('server_list', query=ServerQuery(**query))]  # type: ignore[arg-type]


def _named(bench: Bench, *names: str) -> list[str]:
    """Servers with these names, the first one oldest; their ids."""
    server_ids = []
    for name in names:
        server_ids.append(bench.create())
        bench.call('server_rename', server_id=server_ids[-1], project_id='p1', name=name)
    return server_ids


def test_a_page_begins_after_its_marker(bench: Bench) -> None:
    server_ids = _named(bench, 'a', 'b', 'c', 'd')
    order = {'sort_keys': ('name', 'id'), 'sort_dirs': ('asc', 'asc')}

    assert _names(bench, limit=2, **order) == ['a', 'b']
    assert _names(bench, limit=2, marker=server_ids[1], **order) == ['c', 'd']
    assert _names(bench, marker=server_ids[3], **order) == []


def test_pages_of_equal_keys_miss_nothing(bench: Bench) -> None:
    bench.accept(bench.create_request(5))
    seen: list[str] = []
    marker = None
    while True:
        query = ServerQuery(limit=2, marker=marker, sort_keys=('vm_state', 'id'), sort_dirs=('desc', 'asc'))
        page = [server.id for server in bench.call('server_list', query=query)]
        if not page:
            break
        seen, marker = seen + page, page[-1]

    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    ('field', 'value'),
    [('marker', 'nowhere'), ('sort_keys', ('shoe_size',)), ('name_regex', '('), ('changes_since', 'yesterday')],
)
def test_a_question_that_makes_no_sense_is_refused(bench: Bench, field: str, value: object) -> None:
    dirs = {'sort_dirs': ('asc',)} if field == 'sort_keys' else {}

    with pytest.raises(exceptions.BadRequest):
        _names(bench, **{field: value}, **dirs)


@pytest.mark.parametrize(
    ('pattern', 'found'),
    [
        ('web', ['web-1', 'web-2']),
        ('^web-1$', ['web-1']),
        ('w.b_', []),
        ('b-2', ['web-2']),
        ('(1|db)', ['db', 'web-1']),
    ],
)
def test_names_are_found_by_regular_expressions(bench: Bench, pattern: str, found: list[str]) -> None:
    _named(bench, 'web-1', 'web-2', 'db')

    assert sorted(_names(bench, name_regex=pattern)) == found


@pytest.mark.timeout(20)
@pytest.mark.parametrize('pattern', ['(a+)+$', '(a|aa)+$', '(.*a){25}$'])
def test_no_expression_of_a_user_stops_the_conductor(bench: Bench, pattern: str) -> None:
    _named(bench, 'a' * 200 + '!')

    assert _names(bench, name_regex=pattern) == []


def test_servers_are_found_by_what_they_are(bench: Bench, host: Host) -> None:
    building = bench.create()
    active = bench.active(host)
    stopped = bench.stopped(host)
    names = {server_id: bench.server(server_id).name for server_id in (building, active, stopped)}

    assert _names(bench, status='ACTIVE') == [names[active]]
    assert _names(bench, status='SHUTOFF') == [names[stopped]]
    assert _names(bench, status='NONSENSE') == []
    assert _names(bench, vm_states=(states.BUILDING,)) == [names[building]]
    assert _names(bench, task_states=('scheduling',)) == [names[building]]
    assert set(_names(bench, not_task_states=('scheduling',))) == {names[active], names[stopped]}
    assert set(_names(bench, host='h1')) == {names[active], names[stopped]}
    assert _names(bench, uuid=active) == [names[active]]
    assert _names(bench, project_id='p2') == []


def test_a_busy_server_is_found_by_the_status_that_it_shows(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SOFT_REBOOT, server_id, host)

    assert len(_names(bench, status='REBOOT')) == 1
    assert _names(bench, status='ACTIVE') == []


def test_deleted_servers_are_listed_for_who_asks_for_them(bench: Bench) -> None:
    gone, alive = bench.create(), bench.create()
    bench.ask(states.DELETE, gone)
    name_of = {server_id: bench.server(server_id).name for server_id in (gone, alive)}

    assert _names(bench) == [name_of[alive]]
    assert _names(bench, deleted=True) == [name_of[gone]]
    assert set(_names(bench, changes_since='2020-01-01T00:00:00')) == {name_of[gone], name_of[alive]}
    assert _names(bench, changes_since='2999-01-01T00:00:00') == []


def test_a_rename_is_for_the_owner(bench: Bench) -> None:
    server_id = bench.create()

    with pytest.raises(exceptions.ServerNotFound):
        bench.call('server_rename', server_id=server_id, project_id='p2', name='mine')
    assert bench.call('server_rename', server_id=server_id, project_id=None, name='mine').name == 'mine'


def test_the_history_of_a_server_outlives_it(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)
    bench.finish(server_id, host)

    history = bench.call('operation_list', server_id=server_id, project_id='p1')

    assert [(record.action, record.state, record.host) for record in history] == [
        ('delete', 'done', 'h1'),
        ('create', 'done', 'h1'),
    ]
    with pytest.raises(exceptions.ServerNotFound):
        bench.call('operation_list', server_id=server_id, project_id='p2')
    with pytest.raises(exceptions.NotFound, match='req-none'):
        bench.call('operation_get', server_id=server_id, project_id='p1', request_id='req-none')


def test_the_fault_is_shown_while_the_server_is_in_error_and_not_afterwards(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.STOP, server_id, host)
    bench.finish(server_id, host, succeeded=False, guest_unknown=True)
    assert bench.call('server_get', server_id=server_id, project_id='p1').fault.message == 'it broke'

    bench.running(states.HARD_REBOOT, server_id, host)
    bench.finish(server_id, host)

    assert bench.call('server_get', server_id=server_id, project_id='p1').fault is None


def test_hosts_are_shown_with_what_they_have_and_what_is_used(bench: Bench, host: Host) -> None:
    bench.active(host)

    (detail,) = bench.call('host_list')

    assert (detail.name, detail.hypervisor_hostname, detail.up) == ('h1', 'h1.example', True)
    assert (detail.total_vcpus, detail.used_vcpus, detail.running_guests) == (8, 1, 1)


def test_flavors_come_and_go(bench: Bench) -> None:
    big = bench.flavor(Flavor(id='big', name='big', vcpus=4, memory_mb=4096, root_gb=1, extra_specs={'a': 'b'}))

    assert bench.call('flavor_get', flavor_id='big') == big
    assert [flavor.id for flavor in bench.call('flavor_list')] == ['small', 'big']
    for taken in ({'id': 'big', 'name': 'other'}, {'id': 'other', 'name': 'big'}):
        with pytest.raises(exceptions.FlavorExists):
            bench.call('flavor_create', flavor=big.evolve(**taken))
    bench.call('flavor_delete', flavor_id='big')
    with pytest.raises(exceptions.FlavorNotFound):
        bench.call('flavor_delete', flavor_id='big')
    assert len(bench.rows(models.Flavor)) == 1


def test_a_server_keeps_the_flavor_that_it_was_made_with(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    bench.call('flavor_delete', flavor_id='small')
    bench.claim(server_id, host)

    order = bench.compute.orders[-1]
    assert order.guest is not None
    assert order.guest.flavor.name == 'm1.small'


def test_keypairs_come_and_go(bench: Bench) -> None:
    keypair = Keypair(user_id='u1', name='k', public_key='ssh-rsa AA', fingerprint='aa')
    kept = bench.call('keypair_create', keypair=keypair)

    assert bench.call('keypair_get', user_id='u1', name='k') == kept
    assert bench.call('keypair_list', user_id='u1') == (kept,)
    assert bench.call('keypair_list', user_id='u2') == ()
    with pytest.raises(exceptions.KeypairExists):
        bench.call('keypair_create', keypair=keypair)
    bench.call('keypair_delete', user_id='u1', name='k')
    with pytest.raises(exceptions.KeypairNotFound):
        bench.call('keypair_get', user_id='u1', name='k')


def test_keypairs_have_a_quota(bench: Bench) -> None:
    for number in range(bench.settings.quota_key_pairs):
        keypair = Keypair(user_id='u1', name=str(number), public_key='ssh-rsa AA', fingerprint='aa')
        bench.call('keypair_create', keypair=keypair)

    with pytest.raises(exceptions.QuotaExceeded, match='100'):
        bench.call('keypair_create', keypair=keypair.evolve(name='one more'))
    assert len(bench.rows(models.Keypair)) == 100
