"""Accept: what is refused, what is written, what is answered."""

import uuid

import pytest

from cloudplane import exceptions, states
from cloudplane.conductor.db import models
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.keypair import Keypair
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def test_a_create_is_queued_and_its_server_is_building(bench: Bench) -> None:
    answer = bench.accept(bench.create_request())

    server, operation = bench.server(answer.server_ids[0]), bench.operation(answer.server_ids[0])
    assert (server.vm_state, server.task_state, server.host_id) == (states.BUILDING, 'scheduling', None)
    assert (operation.state, operation.attempt, operation.sequence) == (states.QUEUED, 0, 1)
    assert server.operation_id == operation.id == answer.operation_ids[0]
    assert [spec.server_id for spec in answer.builds] == [server.id]


def test_a_create_of_n_servers_is_all_or_nothing(bench: Bench) -> None:
    with pytest.raises(exceptions.QuotaExceeded):
        bench.accept(bench.create_request(11))

    assert bench.rows(models.Server) == []
    assert bench.usage() == (0, 0, 0)
    assert len(bench.accept(bench.create_request(10)).builds) == 10
    assert bench.usage() == (10, 10, 5120)


def test_accept_sends_nothing_itself(bench: Bench, host: Host) -> None:
    server_id = bench.create()
    bench.claim(server_id, host)
    bench.compute.orders.clear()

    assert bench.scheduler.builds == []
    assert bench.ask(states.DELETE, server_id).done
    assert bench.compute.orders == []


def test_the_quota_refusal_names_what_and_how_much(bench: Bench) -> None:
    bench.create(count=9)

    with pytest.raises(exceptions.QuotaExceeded) as refused:
        bench.create(count=2)

    assert 'Quota exceeded for instances: Requested 2, but already used 9 of 10 instances' in str(refused.value)


def test_an_unknown_flavor_is_refused_and_nothing_is_charged(bench: Bench) -> None:
    with pytest.raises(exceptions.FlavorNotFound):
        bench.create(flavor_id='huge')

    assert bench.usage() == (0, 0, 0)


def test_a_disabled_flavor_is_refused(bench: Bench) -> None:
    bench.flavor(Flavor(id='old', name='old', vcpus=1, memory_mb=512, root_gb=1, disabled=True))

    with pytest.raises(exceptions.FlavorNotFound):
        bench.create(flavor_id='old')


@pytest.mark.parametrize(('field', 'text'), [('image_min_memory_mb', 'memory'), ('image_min_disk_gb', 'disk')])
def test_a_flavor_that_is_too_small_for_the_image_is_refused(bench: Bench, field: str, text: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=text):
        bench.create(**{field: 1000})


def test_an_unknown_keypair_is_refused(bench: Bench) -> None:
    with pytest.raises(exceptions.KeypairNotFound):
        bench.create(key_name='mine')


def test_the_public_key_is_kept_with_the_operation(bench: Bench, host: Host) -> None:
    keypair = Keypair(user_id='u1', name='mine', public_key='ssh-ed25519 AAAA', fingerprint='aa:bb')
    bench.call('keypair_create', keypair=keypair)

    server_id = bench.create(key_name='mine')
    bench.call('keypair_delete', user_id='u1', name='mine')
    bench.claim(server_id, host)

    guest = bench.compute.orders[-1].guest
    assert guest is not None
    assert guest.public_key == 'ssh-ed25519 AAAA'


def test_too_many_metadata_items_are_refused(bench: Bench) -> None:
    with pytest.raises(exceptions.QuotaExceeded, match='metadata items'):
        bench.create(metadata={str(number): '' for number in range(129)})


def test_a_password_is_unreadable_in_the_database_and_gone_when_the_build_has_ended(bench: Bench, host: Host) -> None:
    server_id = bench.create(admin_pass='secret')
    assert 'secret' not in bench.operation(server_id).params_json
    bench.claim(server_id, host)

    guest = bench.compute.orders[-1].guest
    assert guest is not None
    assert guest.admin_pass == 'secret'
    bench.begin(server_id, host)
    bench.finish(server_id, host)
    assert '"admin_pass":null' in bench.operation(server_id).params_json


def test_a_password_goes_with_a_build_that_a_delete_replaces(bench: Bench, host: Host) -> None:
    server_id = bench.building(host, admin_pass='secret')
    build_id = bench.operation(server_id).id

    bench.ask(states.DELETE, server_id)

    assert '"admin_pass":null' in bench.operation_of(build_id).params_json


def test_more_than_can_be_kept_is_refused_but_deletes_are_not(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.conductor.acceptor.active_operations = bench.settings.max_queued_operations

    with pytest.raises(exceptions.ServiceBusy):
        bench.create()
    with pytest.raises(exceptions.ServiceBusy):
        bench.ask(states.STOP, server_id)
    assert bench.ask(states.DELETE, server_id).work is not None


def test_an_operation_on_a_host_is_scheduled_and_answered_with_its_order(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    answer = bench.ask(states.STOP, server_id)

    server, operation = bench.server(server_id), bench.operation(server_id)
    assert (operation.state, operation.sequence, operation.host_id) == (states.SCHEDULED, 2, host.id)
    assert (server.task_state, server.operation_id, server.sequence) == ('powering-off', operation.id, 2)
    assert answer.work is not None
    assert (answer.work.kind, answer.work.host, answer.work.sequence, answer.work.attempt) == ('stop', host.name, 2, 0)


def test_what_runs_is_named_in_the_refusal(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SNAPSHOT, server_id, host)

    with pytest.raises(exceptions.ServerBusy) as refused:
        bench.ask(states.STOP, server_id)

    text = str(refused.value)
    assert 'createImage is running' in text
    assert bench.operation(server_id).id in text
    assert "Cannot 'stop'" in text
    assert 'task_state image_snapshot' in text


def test_a_state_that_does_not_allow_it_is_named_in_the_refusal(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    with pytest.raises(exceptions.InvalidState, match=r"Cannot 'start'.*while it is in vm_state active"):
        bench.ask(states.START, server_id)
    assert bench.server(server_id).operation_id is None


def test_a_server_that_never_ran_cannot_be_stopped(bench: Bench, host: Host) -> None:
    server_id = bench.building(host)
    bench.finish(server_id, host, succeeded=False)
    assert bench.server(server_id).vm_state == states.ERROR

    with pytest.raises(exceptions.InvalidState, match='never been launched'):
        bench.ask(states.STOP, server_id)


def test_another_project_does_not_see_the_server(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)

    with pytest.raises(exceptions.ServerNotFound):
        bench.ask(states.STOP, server_id, project_id='p2')
    assert bench.ask(states.STOP, server_id, project_id=None).work is not None


def test_an_unknown_server_and_a_deleted_one_are_not_found(bench: Bench) -> None:
    server_id = bench.create()
    bench.ask(states.DELETE, server_id)

    for missing in (server_id, str(uuid.uuid4())):
        with pytest.raises(exceptions.ServerNotFound):
            bench.ask(states.DELETE, missing)


@pytest.mark.parametrize('kind', ['teleport', states.BUILD])
def test_a_kind_that_cannot_be_asked_for_is_refused_by_name(bench: Bench, host: Host, kind: str) -> None:
    server_id = bench.active(host)

    with pytest.raises(exceptions.BadRequest, match=kind):
        bench.ask(kind, server_id)
    assert bench.server(server_id).operation_id is None


def test_a_hard_reboot_replaces_a_soft_one_that_hangs(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    soft = bench.running(states.SOFT_REBOOT, server_id, host)

    hard = bench.ask(states.HARD_REBOOT, server_id)

    assert bench.operation_of(soft).state == states.SUPERSEDED
    assert bench.operation_of(soft).next_run_at is None
    assert bench.server(server_id).operation_id == hard.operation_ids[0]
    assert bench.operation(server_id).sequence == 3


def test_a_soft_reboot_replaces_nothing(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SOFT_REBOOT, server_id, host)

    with pytest.raises(exceptions.ServerBusy):
        bench.ask(states.SOFT_REBOOT, server_id)


def test_a_hard_reboot_does_not_replace_a_snapshot(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.running(states.SNAPSHOT, server_id, host)

    with pytest.raises(exceptions.ServerBusy):
        bench.ask(states.HARD_REBOOT, server_id)
