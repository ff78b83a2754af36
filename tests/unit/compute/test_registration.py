"""What an agent does when it registers, and what it makes of guests that should be something else."""

import logging
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute.virt.driver import Token
from cloudplane.exceptions import HypervisorUnavailable
from cloudplane.objects.operation import FinishReport, WorkOrder
from tests.unit.compute.agent import HOST, Agent, Gate, eventually, running
from tests.unit.compute.fake_conductor import FakeConductor
from tests.unit.compute.fake_rows import spec_of


def restart(agent: Agent) -> None:
    agent.bury()
    agent.again().start()


def committed_but_paused(agent: Agent) -> WorkOrder:
    """A build whose agent died between the commit and the resume."""
    gate = Gate()
    finish = agent.conductor.finish

    def committed(ctxt: object, report: FinishReport) -> object:
        verdict = finish(ctxt, report)  # type: ignore[arg-type]
        gate()
        return verdict

    agent.conductor.finish = committed  # type: ignore[method-assign,assignment]
    order = agent.do_not_wait(states.BUILD)
    assert gate.reached.wait(10)
    agent._line.dead = True
    agent.conductor.finish = finish  # type: ignore[method-assign]
    gate.open()
    return order


def test_an_agent_registers_as_soon_as_the_conductor_answers(tmp_path: Path) -> None:
    conductor = FakeConductor(HOST)
    conductor.lost_requests['register'] = 4
    agent = Agent(tmp_path, conductor).start()
    assert conductor.calls.count('register') == 5
    assert conductor.inventories[0].host == HOST
    agent.stop()


def test_a_hypervisor_that_is_away_does_not_end_the_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path, FakeConductor(HOST))
    inventory, failures = agent.driver.inventory, [HypervisorUnavailable('away'), HypervisorUnavailable('away')]

    def away() -> object:
        if failures:
            raise failures.pop()
        return inventory()

    monkeypatch.setattr(agent.driver, 'inventory', away)
    agent.start()
    agent.stop()


def test_nothing_is_done_before_the_agent_has_registered(tmp_path: Path) -> None:
    conductor = FakeConductor(HOST)
    gate = Gate()
    conductor.before['register'] = gate
    agent = Agent(tmp_path, conductor).start(ready=False)
    assert gate.reached.wait(10)
    order = conductor.accept(states.BUILD)
    agent.work(order)
    assert not agent.driver.calls
    gate.open()
    conductor.wait_ended(order.operation_id)
    agent.stop()


def test_exactly_the_residues_are_destroyed_and_then_told_of(agent: Agent) -> None:
    gone, stays = agent.build(), agent.build()
    agent.bury()
    agent.conductor.vanish(gone)
    agent.again().start()
    assert agent.driver.leftovers() == {stays}
    assert agent.conductor.cleaned_ids == [gone]
    assert agent.conductor.calls.index('cleaned') < len(agent.conductor.calls)
    assert agent.power_state(stays) == states.RUNNING


def test_a_residue_that_cannot_be_destroyed_yet_does_not_stop_the_agent(agent: Agent) -> None:
    gone = agent.build()
    agent.bury()
    agent.conductor.vanish(gone)
    agent.again()
    agent.driver.failures['destroy'] = 3
    agent.start()
    order = agent.do(states.BUILD)
    eventually(lambda: agent.conductor.cleaned_ids == [gone])
    assert agent.driver.leftovers() == {order.server_id}


def test_a_guest_that_is_newer_than_its_residue_is_kept(agent: Agent) -> None:
    server_id = agent.build()
    agent.do(states.STOP, server_id)
    agent.do(states.START, server_id)
    agent.conductor.residues[server_id] = 1
    agent.bury()
    agent.again().start()
    assert agent.driver.leftovers() == {server_id}


def test_a_guest_that_is_newer_than_its_residue_is_kept_even_if_its_mark_is_lost(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    server_id = agent.build()
    agent.bury()
    (agent.path / 'fence' / f'{server_id}.json').write_bytes(b'')
    agent.conductor.residues[server_id] = 0
    agent.again().start()
    assert agent.driver.leftovers() == {server_id}
    assert 'but its guest is newer' in caplog.text


def test_a_report_of_what_was_cleaned_is_repeated_until_it_is_heard(agent: Agent) -> None:
    gone = agent.build()
    agent.bury()
    agent.conductor.vanish(gone)
    agent.conductor.lost_requests['cleaned'] = 3
    agent.again().start()
    eventually(lambda: gone in agent.conductor.cleaned_ids)


def test_unfinished_work_is_taken_up_again(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.do_not_wait(states.BUILD)
    eventually(lambda: ('make_disk', order.server_id) in agent.driver.calls)
    restart(agent)
    agent.conductor.wait_ended(order.operation_id)
    eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)


def test_a_stopped_agent_leaves_its_work_to_its_next_start(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.do_not_wait(states.BUILD)
    eventually(lambda: ('make_disk', order.server_id) in agent.driver.calls)
    agent.service.stop(0.05)
    assert agent.conductor.operations[order.operation_id].state == states.STARTED
    agent.again().start()
    agent.conductor.wait_ended(order.operation_id)


def test_a_guest_that_was_committed_and_not_resumed_runs_after_the_next_start(agent: Agent) -> None:
    order = committed_but_paused(agent)
    assert agent.power_state(order.server_id) == states.POWER_PAUSED
    restart(agent)
    eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)


def test_a_guest_that_never_ran_is_let_run_even_after_a_reboot_of_the_host(agent: Agent) -> None:
    order = committed_but_paused(agent)
    agent.driver.die(order.server_id)
    restart(agent)
    eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)


@pytest.mark.parametrize(('resumes', 'shown'), [(False, states.SHUTDOWN), (True, states.RUNNING)])
def test_after_a_reboot_of_the_host_guests_run_if_the_operator_wants_that(
    tmp_path: Path, resumes: bool, shown: int
) -> None:
    with running(tmp_path, resume_guests_at_start=resumes) as agent:
        server_id = agent.build()
        agent.bury()
        agent.driver.die(server_id)
        agent.again().start()
        agent.settled(server_id)
        assert agent.power_state(server_id) == shown


def test_a_guest_that_should_be_off_is_switched_off(agent: Agent) -> None:
    server_id = agent.build()
    agent.conductor.servers[server_id].vm_state = states.STOPPED
    restart(agent)
    eventually(lambda: agent.power_state(server_id) == states.SHUTDOWN)


def test_the_guest_of_a_build_that_failed_elsewhere_is_removed(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.do_not_wait(states.BUILD)
    eventually(lambda: ('make_disk', order.server_id) in agent.driver.calls)
    agent.bury()
    agent.conductor.fail(order.operation_id)
    agent.again().start()
    eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
    assert agent.driver.leftovers() == set()


def test_what_no_record_explains_is_reported_and_never_destroyed(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    spec = spec_of('orphan')
    token = Token(operation_id='o', sequence=1, attempt=1)
    agent.driver.make_network(spec)
    agent.driver.make_disk(spec, token, None, None)  # type: ignore[arg-type]  # it does not wait
    agent.driver.start_paused(spec, token, ())
    known = agent.build()
    with caplog.at_level(logging.ERROR):
        restart(agent)
    assert 'Server orphan has a guest or files' in caplog.text
    assert known not in caplog.text
    agent.do(states.BUILD)
    assert agent.power_state('orphan') == states.POWER_PAUSED


def test_a_server_without_a_guest_is_reported(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    server_id = agent.build()
    agent.bury()
    agent.driver.destroy(server_id)
    agent.again().start()
    agent.settled(server_id)
    assert f'Server {server_id} is wanted on' in caplog.text
    assert 'has no guest here' in caplog.text


def test_a_host_that_was_forced_down_registers_and_removes_what_was_evacuated(agent: Agent) -> None:
    evacuated, stays = agent.build(), agent.build()
    agent.conductor.force_down()
    agent.conductor.vanish(evacuated)
    eventually(lambda: agent.conductor.cleaned_ids == [evacuated])
    assert agent.driver.leftovers() == {stays}
    assert agent.conductor.calls.count('register') == 2


def test_work_on_an_evacuated_server_ends_and_is_removed(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.delays['soft_reboot'] = 30
    order = agent.do_not_wait(states.SOFT_REBOOT, server_id)
    eventually(lambda: ('soft_reboot', server_id) in agent.driver.calls)
    agent.conductor.force_down()
    agent.conductor.vanish(server_id)
    eventually(lambda: agent.conductor.cleaned_ids == [server_id])
    assert agent.driver.leftovers() == set()
    assert order.operation_id not in [report.operation_id for report in agent.conductor.reports]
