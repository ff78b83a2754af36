"""Nothing that the conductor does is for one database alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, exc, select

from cloudplane import exceptions, states
from cloudplane.conductor.db import models, schema
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.conductor.db.session import Database
from cloudplane.objects.keypair import Keypair
from cloudplane.objects.server import ServerQuery
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.world import World

Opened = Callable[[], Database]


def test_an_empty_database_is_upgraded_to_the_head(opened: Opened) -> None:
    database = opened()
    with pytest.raises(exceptions.ConfigurationError, match='empty'):
        schema.check(database)

    schema.upgrade(database)

    assert schema.current(database) == schema.head()
    schema.check(database)


def test_the_migrations_make_what_the_models_say(opened: Opened) -> None:
    database = opened()
    schema.upgrade(database)

    def compare(conn: Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={'compare_type': True, 'compare_server_default': True})
        return list(compare_metadata(context, models.Base.metadata))

    assert database.read(compare) == []


def test_two_upgrades_at_once_are_one(opened: Opened) -> None:
    databases = [opened() for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(schema.upgrade, databases))

    assert schema.current(databases[0]) == schema.head()


def test_a_schema_of_a_newer_release_is_refused_by_name(opened: Opened) -> None:
    database = opened()
    schema.upgrade(database)
    database.write(lambda conn: conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(exceptions.ConfigurationError, match='9999, which is newer'):
        schema.check(database)


def test_a_server_lives_and_dies(bench: Bench) -> None:
    world = World(bench)
    world.register('h1')
    world.register('h2')

    server_id = world.create()
    world.settle()
    assert bench.server(server_id).vm_state == states.ACTIVE
    assert bench.usage() == (1, 1, 512)
    assert bench.audit() == ()
    world.ask(states.STOP, server_id)
    world.settle()
    assert bench.server(server_id).vm_state == states.STOPPED
    assert bench.call('server_list', query=ServerQuery(status='SHUTOFF'))[0].id == server_id
    world.ask(states.DELETE, server_id)
    world.settle()

    assert bench.server(server_id).deleted
    assert bench.usage() == (0, 0, 0)
    assert len(bench.call('operation_list', server_id=server_id, project_id='p1')) == 3


def test_a_host_is_lost_in_mid_build_and_comes_back(bench: Bench) -> None:
    hosts = {name: bench.host(name) for name in ('h1', 'h2', 'h3')}
    server_id = bench.building(hosts['h1'])
    bench.silence(hosts['h1'])
    bench.look()
    assert bench.operation(server_id).state == states.QUEUED
    assert bench.residues(hosts['h1']) == {server_id: 1}

    bench.claim(server_id, hosts['h2'])
    bench.begin(server_id, hosts['h2'])
    bench.finish(server_id, hosts['h2'])
    assert bench.heartbeat(hosts['h1']).residues
    bench.cleaned(hosts['h1'], server_id)

    assert bench.host_row('h1').up
    assert bench.used(hosts['h1']) == (0, 0, 0)
    bench.call('host_force_down', host='h2', forced_down=True)
    assert bench.ask(states.DELETE, server_id).done
    assert bench.residues(hosts['h2']) == {server_id: 2}


def test_a_repeated_call_gets_the_first_answer(bench: Bench) -> None:
    request = bench.create_request(2, key='k')
    first = bench.accept(request)

    assert bench.accept(request).server_ids == first.server_ids
    assert bench.accept(bench.create_request(key='k')).server_ids == first.server_ids
    with pytest.raises(exceptions.QuotaExceeded):
        bench.create(count=9)
    assert bench.usage() == (2, 2, 1024)


def test_every_end_of_an_operation_is_written(bench: Bench) -> None:
    host = bench.host()
    failed, expired = bench.building(host), bench.building(host)
    bench.finish(failed, host, succeeded=False, clean=True, details='Traceback')
    bench.expire(expired)
    bench.look()
    bench.cleaned(host, expired)
    bench.claim(bench.create(), transient=False)

    assert [row.state for row in bench.rows(models.Operation)] == [states.FAILED] * 3
    assert bench.used(host) == (0, 0, 0)


def test_differences_are_found_and_mended(bench: Bench) -> None:
    host = bench.host()
    server_id = bench.active(host)
    bench.change(models.ProjectUsage, {'project_id': 'p1'}, {'cores': 7})
    bench.change(models.Host, {'id': host.id}, {'used_vcpus': 7})
    bench.change(models.Server, {'id': server_id}, {'vm_state': states.BUILDING})

    assert len(bench.audit()) == 3
    assert all(difference.repaired for difference in bench.audit(repair=True))
    assert bench.audit() == ()


def test_the_clock_is_utc_with_microseconds_and_can_be_shifted(opened: Opened) -> None:
    statement = select(utc_now().label('now'), utc_now(-90.25).label('before'), utc_now(3600).label('later'))

    row = opened().read(lambda conn: conn.execute(statement).one())

    assert row.now.tzinfo is None
    assert 90.2 < (row.now - row.before).total_seconds() < 90.3
    assert 3599.9 < (row.later - row.now).total_seconds() < 3600.1


def test_a_moment_is_compared_as_it_was_written(bench: Bench) -> None:
    server_id = bench.create()
    written = bench.operation(server_id).next_run_at

    assert bench.change(models.Operation, {'next_run_at': written}, {'tries': 1}) == 1


def test_rows_whose_keys_are_taken_are_left_out_and_the_transaction_goes_on(bench: Bench) -> None:
    row = {'project_id': 'p', 'instances': 1, 'cores': 1, 'ram_mb': 1}

    def work(conn: Connection) -> list[int]:
        return [
            insert_new(conn, models.ProjectUsage, rows) for rows in ([row], [row], [row, row | {'project_id': 'q'}])
        ]

    try:
        assert bench.database.write(work) == [1, 0, 1]
    finally:
        bench.audit(repair=True)


def test_a_write_that_is_refused_does_not_harm_its_neighbours(bench: Bench) -> None:
    requests = [bench.create_request() for _ in range(24)]

    def accept(number: int) -> bool:
        try:
            return bool(bench.accept(requests[number]).builds)
        except exceptions.QuotaExceeded:
            return False

    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(accept, range(24))) == 10
    assert bench.usage() == (10, 10, 5120)


def test_two_conductors_at_once_never_overcommit_and_never_charge_twice(bench: Bench, opened: Opened) -> None:
    hosts = [bench.host('tight', vcpus=3), bench.host('wide', vcpus=4)]
    other = bench.new_conductor(database=opened())
    request = bench.create_request(10)
    server_ids = bench.accept(request).server_ids
    selections = [bench.selection(server_id, *hosts) for server_id in server_ids]
    start = threading.Barrier(2)

    def claim(conductor: object) -> None:
        start.wait(10)
        conductor.claimer.claim(selections)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(claim, [bench.conductor, other]))
    other.claimer.stop()

    assert [bench.used(host)[0] for host in hosts] == [3, 4]
    assert [bench.operation(server_id).state for server_id in server_ids].count(states.SCHEDULED) == 7


def test_a_defect_of_ours_is_not_taken_for_an_outage(bench: Bench) -> None:
    statement = models.table(models.ProjectUsage).insert().values(project_id='p', instances=0, cores=0, ram_mb=0)

    with pytest.raises(exc.IntegrityError):
        bench.database.write(lambda conn: [conn.execute(statement) for _ in range(2)])


def test_words_that_differ_in_case_or_in_a_space_at_their_end_are_different(bench: Bench) -> None:
    for name in ('key', 'Key', 'key ', 'këy'):
        keypair = Keypair(user_id='u1', name=name, public_key='ssh-rsa AA', fingerprint='aa')
        bench.call('keypair_create', keypair=keypair)
    for project_id in ('P1', 'p1'):
        bench.accept(bench.create_request(project_id=project_id, key=f'K-{project_id}'))

    assert len(bench.call('keypair_list', user_id='u1')) == 4
    assert bench.call('keypair_list', user_id='U1') == ()
    assert (bench.usage('P1'), bench.usage('p1')) == ((1, 1, 512), (1, 1, 512))
    assert not bench.accept(bench.create_request(key='k-p1')).replayed
