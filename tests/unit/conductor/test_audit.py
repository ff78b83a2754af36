"""The audit finds each kind of difference when it is planted, mends what can be mended, and finds nothing else."""

import uuid
from collections.abc import Callable

import pytest

from cloudplane import states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host

Plant = Callable[[Bench, Host, str], None]


def _counter(bench: Bench, _host: Host, _server_id: str) -> None:
    bench.change(models.ProjectUsage, {'project_id': 'p1'}, {'cores': 7})


def _counter_of_a_project_without_servers(bench: Bench, _host: Host, _server_id: str) -> None:
    bench.add(models.ProjectUsage, project_id='p2', instances=1, cores=0, ram_mb=0)


def _no_counter(bench: Bench, _host: Host, server_id: str) -> None:
    bench.change(models.Server, {'id': server_id}, {'project_id': 'p3'})


def _used(bench: Bench, host: Host, _server_id: str) -> None:
    bench.change(models.Host, {'id': host.id}, {'used_memory_mb': 0})


def _allocation_of_nobody(bench: Bench, host: Host, server_id: str) -> None:
    gone = bench.create()
    bench.ask(states.DELETE, gone)
    bench.add(
        models.Allocation, server_id=gone, role='current', host_id=host.id, vcpus=1, memory_mb=1, disk_gb=1,
        created_at=utc_now(),
    )  # fmt: skip
    assert server_id != gone
    bench.change(models.Host, {'id': host.id}, {'used_vcpus': 2, 'used_memory_mb': 513, 'used_disk_gb': 6})


def _operation_that_has_ended(bench: Bench, _host: Host, server_id: str) -> None:
    ended = bench.operation(server_id).id
    bench.change(models.Server, {'id': server_id}, {'operation_id': ended, 'task_state': 'spawning'})


def _operation_that_is_not_there(bench: Bench, _host: Host, server_id: str) -> None:
    bench.change(models.Server, {'id': server_id}, {'operation_id': str(uuid.uuid4()), 'task_state': 'spawning'})


def _task_of_nobody(bench: Bench, _host: Host, server_id: str) -> None:
    bench.change(models.Server, {'id': server_id}, {'task_state': 'powering-off'})


def _operation_of_no_server(bench: Bench, _host: Host, server_id: str) -> None:
    values = {'state': states.STARTED, 'next_run_at': utc_now(5), 'finished_at': None}
    bench.change(models.Operation, {'server_id': server_id}, values)


def _build_of_nobody(bench: Bench, _host: Host, server_id: str) -> None:
    bench.change(models.Server, {'id': server_id}, {'vm_state': states.BUILDING})


def _operation_that_nobody_looks_at(bench: Bench, _host: Host, server_id: str) -> None:
    bench.ask(states.STOP, server_id)
    bench.change(models.Operation, {'id': bench.operation(server_id).id}, {'next_run_at': None})


def _operation_that_is_looked_at_for_ever(bench: Bench, _host: Host, server_id: str) -> None:
    bench.change(models.Operation, {'server_id': server_id}, {'next_run_at': utc_now(-1)})


MENDED: dict[str, tuple[Plant, str, str]] = {
    'a counter that is wrong': (_counter, 'quota of project', 'cores=7'),
    'a counter of nothing': (_counter_of_a_project_without_servers, 'quota of project', 'instances=1'),
    'no counter': (_no_counter, 'quota of project', 'instances=0'),
    'used': (_used, 'host', 'used_memory_mb 0'),
    'an allocation of nobody': (_allocation_of_nobody, 'allocation', 'holds capacity of host 1'),
    'an operation that has ended': (_operation_that_has_ended, 'server', 'which is done'),
    'an operation that is not there': (_operation_that_is_not_there, 'server', 'which is unknown'),
    'a task of nobody': (_task_of_nobody, 'server', 'task_state powering-off, worked on by nobody'),
    'an operation of no server': (_operation_of_no_server, 'operation', 'running, while the server has none'),
    'a build of nobody': (_build_of_nobody, 'server', 'none'),
    'an operation nobody looks at': (_operation_that_nobody_looks_at, 'operation', 'scheduled, next looked at: never'),
    'an operation looked at for ever': (_operation_that_is_looked_at_for_ever, 'operation', 'done, next looked at: 2'),
}


def test_a_cloud_that_is_as_it_should_be_shows_no_difference(bench: Bench, host: Host) -> None:
    bench.active(host)
    bench.stopped(host)
    bench.building(host)
    bench.scheduled(host)
    bench.create()
    bench.ask(states.DELETE, bench.active(host))
    bench.finish(bench.building(host), host, succeeded=False)
    bench.building(bench.host('lost'))
    bench.call('host_force_down', host='lost', forced_down=True)

    assert bench.audit() == ()
    assert bench.audit(repair=True) == ()


@pytest.mark.parametrize('name', MENDED)
def test_a_difference_is_found_named_and_mended(bench: Bench, host: Host, name: str) -> None:
    plant, subject, found = MENDED[name]
    server_id = bench.active(host)
    bench.active(host)
    plant(bench, host, server_id)

    seen = bench.audit()
    assert [difference for difference in seen if difference.subject == subject and found in difference.found]
    assert not any(difference.repaired for difference in seen)
    assert bench.audit() == seen  # looking changes nothing

    assert all(difference.repaired for difference in bench.audit(repair=True))
    assert bench.audit() == ()


def test_a_server_whose_build_was_worked_on_by_nobody_is_in_error_and_says_why(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    _build_of_nobody(bench, host, server_id)

    bench.audit(repair=True)

    shown = bench.call('server_get', server_id=server_id, project_id='p1')
    assert shown.vm_state == states.ERROR
    assert 'Nothing worked on its build' in shown.fault.message


def test_an_operation_that_nobody_looked_at_goes_on_after_the_repair(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    _operation_that_nobody_looks_at(bench, host, server_id)

    bench.audit(repair=True)
    bench.look()

    assert bench.compute.orders[-1].kind == states.STOP


def test_an_operation_that_no_conductor_ended_is_found(bench: Bench, host: Host) -> None:
    bench.ask(states.STOP, bench.active(host))
    bench.pass_s(180 + 59)
    assert bench.audit() == ()

    bench.pass_s(2)
    (difference,) = bench.audit(repair=True)

    assert 'stop of server' in difference.found
    assert not difference.repaired
    bench.look()


def test_a_server_whose_allocation_lies_elsewhere_is_found_and_not_guessed_at(bench: Bench, host: Host) -> None:
    other = bench.host('other')
    server_id = bench.active(host)
    bench.change(models.Server, {'id': server_id}, {'host_id': other.id})
    bench.tampered = True

    (difference,) = bench.audit(repair=True)

    assert (difference.id, difference.repaired) == (server_id, False)
    assert difference.expected == f'an allocation on host {other.id}'
    assert difference.found == f'one on host {host.id}'


def test_a_server_without_its_allocation_and_an_allocation_without_its_host_are_found(bench: Bench, host: Host) -> None:
    bare, owning = bench.active(host), bench.active(host)
    bench.change(models.Allocation, {'server_id': bare}, {'server_id': owning, 'role': 'target'})
    bench.change(models.Server, {'id': owning}, {'host_id': None})
    bench.tampered = True

    found = {difference.id: (difference.expected, difference.found) for difference in bench.audit()}

    assert found[bare] == (f'an allocation on host {host.id}', 'none')
    assert found[owning] == ('no allocation', f'one on host {host.id}')
