"""What an operator says about hosts: forced down, back again, disabled."""

import pytest

from cloudplane import exceptions, states
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import inventory, residue

SMALL = (1, 512, 5)
NOTHING = (0, 0, 0)


def test_forcing_a_host_down_raises_its_epoch_once(bench: Bench, host: Host) -> None:
    for _ in range(2):
        bench.call('host_force_down', host='h1', forced_down=True)

    row = bench.host_row('h1')
    assert (row.epoch, row.up, row.forced_down) == (2, False, True)


def test_a_delete_on_a_host_that_is_forced_down_is_done_with_a_residue(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.ask(states.DELETE, server_id)

    bench.call('host_force_down', host='h1', forced_down=True)

    assert bench.operation(server_id).state == states.DONE
    assert bench.server(server_id).deleted
    assert bench.residues(host) == {server_id: 2}
    assert (bench.used(host), bench.usage()) == (SMALL, NOTHING)


@pytest.mark.parametrize('kind', [states.STOP, states.SOFT_REBOOT, states.HARD_REBOOT, states.SNAPSHOT])
@pytest.mark.parametrize(('begun', 'vm_state'), [(True, states.ERROR), (False, states.ACTIVE)])
def test_others_fail_when_their_host_is_forced_down(
    bench: Bench, host: Host, kind: str, begun: bool, vm_state: str
) -> None:
    server_id = bench.active(host)
    bench.ask(kind, server_id)
    if begun:
        bench.begin(server_id, host)

    bench.call('host_force_down', host='h1', forced_down=True)

    assert bench.operation(server_id).state == states.FAILED
    assert bench.server(server_id).vm_state == vm_state
    assert 'Host h1 was forced down' in bench.fault(server_id)


def test_an_operation_accepted_for_a_host_that_is_forced_down_fails_with_that_reason(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.call('host_force_down', host='h1', forced_down=True)

    bench.ask(states.STOP, server_id)
    bench.due(server_id)
    bench.look()

    assert bench.operation(server_id).state == states.FAILED
    assert 'forced down' in bench.fault(server_id)


def test_builds_leave_a_host_that_is_forced_down(bench: Bench, host: Host) -> None:
    begun, waiting = bench.building(host), bench.scheduled(host)

    bench.call('host_force_down', host='h1', forced_down=True)

    assert [bench.operation(each).state for each in (begun, waiting)] == [states.QUEUED, states.QUEUED]
    assert bench.residues(host) == {begun: 1}


def test_an_agent_of_an_old_epoch_is_not_registered_and_renews_nothing(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    bench.call('host_force_down', host='h1', forced_down=True)
    bench.ask(states.STOP, server_id)
    before = bench.operation(server_id)

    assert not bench.heartbeat(host, server_id).registered
    assert bench.operation(server_id) == before
    for call in (
        lambda: bench.cleaned(host, server_id),
        lambda: bench.call('power_states', host='h1', epoch=host.epoch, reports=()),
    ):
        with pytest.raises(exceptions.StaleEpoch):
            call()


def test_an_agent_that_comes_back_to_a_forced_down_host_stays_down_until_the_operator_says_otherwise(
    bench: Bench, host: Host
) -> None:
    server_id = bench.building(host)
    bench.call('host_force_down', host='h1', forced_down=True)

    answer = bench.register('h1')
    assert (answer.epoch, answer.residues) == (2, (residue(server_id, 1),))
    back = Host(host.id, host.name, answer.epoch)
    bench.cleaned(back, server_id)
    bench.heartbeat(back)
    assert not bench.host_row('h1').up

    bench.call('host_force_down', host='h1', forced_down=False)
    assert not bench.host_row('h1').up
    bench.heartbeat(back)
    assert bench.host_row('h1').up


def test_a_host_that_nobody_knows_is_told_to_register(bench: Bench) -> None:
    assert not bench.heartbeat(Host(7, 'stranger', 1)).registered


def test_a_changed_inventory_is_taken_from_the_heartbeat(bench: Bench, host: Host) -> None:
    before = bench.host_row('h1').generation

    bench.heartbeat(host, inventory=inventory('h1', vcpus=2))

    assert bench.host_row('h1').limit_vcpus == 2
    assert bench.host_row('h1').generation > before


def test_the_operator_keeps_servers_away_from_a_host(bench: Bench, host: Host) -> None:
    bench.call('host_set_disabled', host='h1', disabled=True, reason='disk')
    assert (bench.host_row('h1').disabled, bench.host_row('h1').disabled_reason) == (True, 'disk')

    bench.call('host_set_disabled', host='h1', disabled=False, reason=None)
    assert (bench.host_row('h1').disabled, bench.host_row('h1').disabled_reason) == (False, None)


def test_a_change_of_a_host_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(exceptions.HostNotFound):
        bench.call('host_set_disabled', host='nowhere', disabled=True, reason=None)
    with pytest.raises(exceptions.HostNotFound):
        bench.call('host_force_down', host='nowhere', forced_down=True)
