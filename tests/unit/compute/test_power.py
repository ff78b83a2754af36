"""Power states that guests take by themselves, and what is told of them."""

from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.exceptions import HypervisorUnavailable
from tests.unit.compute.agent import Agent, Gate, eventually, running


def told(agent: Agent) -> list[tuple[str, int]]:
    return [(report.server_id, report.power_state) for report in agent.conductor.power_reports]


def test_a_guest_that_dies_is_told_of(agent: Agent) -> None:
    server_id = agent.build()
    agent.do(states.STOP, server_id)
    agent.do(states.START, server_id)
    agent.driver.die(server_id, states.CRASHED)
    agent.conductor.wait(lambda: told(agent) == [(server_id, states.CRASHED)])
    assert agent.conductor.power_reports[0].sequence == 3


def test_what_an_operation_has_told_is_not_told_again(agent: Agent) -> None:
    first = agent.build()
    agent.do(states.STOP, first)
    second = agent.build()
    agent.driver.die(second)
    agent.conductor.wait(lambda: told(agent) == [(second, states.SHUTDOWN)])


def test_changes_that_come_together_make_one_report(tmp_path: Path) -> None:
    with running(tmp_path, power_settle_s=0.3) as agent:
        servers = [agent.build() for _ in range(3)]
        for server_id in servers:
            agent.driver.die(server_id)
        agent.conductor.wait(lambda: len(told(agent)) == 3)
        assert agent.conductor.calls.count('power_states') == 1


def test_a_guest_that_is_not_committed_has_no_power_state(agent: Agent) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.do_not_wait(states.BUILD)
    assert gate.reached.wait(10)
    other = agent.build_other(order.server_id)
    agent.driver.die(other)
    agent.conductor.wait(lambda: told(agent) == [(other, states.SHUTDOWN)])
    gate.open()


def test_a_guest_that_waits_for_a_later_attempt_at_its_build_has_no_power_state(tmp_path: Path) -> None:
    with running(tmp_path, power_sync_s=0.1) as agent:
        gate = Gate()
        agent.conductor.before['finish'] = gate
        order = agent.do_not_wait(states.BUILD)
        assert gate.reached.wait(10)
        again = agent.conductor.redrive(order.operation_id)
        gate.open()
        agent.settled(order.server_id)
        other = agent.build()
        agent.conductor.wait(lambda: len(told(agent)) > 2)
        assert {server_id for server_id, _state in told(agent)} == {other}
        agent.work(again)
        agent.conductor.wait(lambda: (order.server_id, states.RUNNING) in told(agent))


def test_a_guest_that_is_worked_on_is_looked_at_when_that_is_over(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.delays['soft_reboot'] = 30
    order = agent.do_not_wait(states.SOFT_REBOOT, server_id)
    eventually(lambda: ('soft_reboot', server_id) in agent.driver.calls)
    agent.driver.die(server_id)
    other = agent.build()
    agent.driver.die(other)
    agent.conductor.wait(lambda: told(agent) == [(other, states.SHUTDOWN)])
    agent.conductor.fail(order.operation_id)  # the refusal of the next heartbeat ends it
    agent.conductor.wait(lambda: (server_id, states.SHUTDOWN) in told(agent))


@pytest.mark.parametrize('lost', ['lost_requests', 'lost_answers'])
def test_a_report_is_repeated_until_it_is_answered(agent: Agent, lost: str) -> None:
    server_id = agent.build()
    getattr(agent.conductor, lost)['power_states'] = 3
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: agent.conductor.calls.count('power_states') == 4)
    assert set(told(agent)) == {(server_id, states.SHUTDOWN)}


def test_a_report_with_an_old_epoch_comes_again_in_the_new_one(agent: Agent) -> None:
    server_id = agent.build()
    agent.conductor.force_down()
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: (server_id, states.SHUTDOWN) in told(agent))


def test_a_guest_that_should_do_something_else_is_made_to(agent: Agent) -> None:
    server_id = agent.build()
    agent.do(states.STOP, server_id)
    agent.driver.power_on(server_id)
    eventually(lambda: agent.power_state(server_id) == states.SHUTDOWN)


def test_now_and_then_all_guests_are_compared(tmp_path: Path) -> None:
    with running(tmp_path, power_sync_s=0.1) as agent:
        servers = {agent.build() for _ in range(2)}
        agent.conductor.wait(lambda: servers <= {server_id for server_id, _state in told(agent)})
        before = len(told(agent))
        agent.conductor.wait(lambda: len(told(agent)) > before + 1)


def test_a_hypervisor_that_is_away_when_a_guest_is_looked_at_is_asked_again(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_id = agent.build()
    guest, failures = agent.driver.guest, [HypervisorUnavailable('away')] * 3

    def away(asked: str) -> object:
        if failures:
            raise failures.pop()
        return guest(asked)

    monkeypatch.setattr(agent.driver, 'guest', away)
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: told(agent) == [(server_id, states.SHUTDOWN)])


def test_reports_name_the_newest_operation_even_if_it_never_came_here(agent: Agent) -> None:
    server_id = agent.build()
    order = agent.conductor.accept(states.STOP, server_id)
    agent.conductor.fail(order.operation_id)
    agent.conductor.servers[server_id].vm_state = states.ACTIVE
    agent.conductor.known = False
    agent.conductor.wait(lambda: agent.conductor.calls.count('register') == 2)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > 0)
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: (server_id, states.SHUTDOWN) in told(agent))
    assert {report.sequence for report in agent.conductor.power_reports} == {2}


def test_a_guest_that_died_while_no_agent_ran_is_told_of_at_once(agent: Agent) -> None:
    server_id = agent.build()
    agent.bury()
    agent.driver.die(server_id)
    agent.again().start()
    agent.conductor.wait(lambda: told(agent) == [(server_id, states.SHUTDOWN)])


def test_an_operation_that_ended_without_coming_here_does_not_silence_its_guest(agent: Agent) -> None:
    server_id = agent.build()
    order = agent.conductor.accept(states.STOP, server_id)
    agent.conductor.fail(order.operation_id)
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: (server_id, states.SHUTDOWN, 2) in taken(agent))


def test_what_came_while_an_operation_was_on_its_way_here_is_told_again_when_that_is_over(agent: Agent) -> None:
    server_id = agent.build()
    order = agent.conductor.accept(states.SOFT_REBOOT, server_id)
    agent.driver.die(server_id)
    agent.conductor.wait(lambda: len(told(agent)) > 1)
    assert {report.sequence for report in agent.conductor.power_reports} == {1}  # not yet in the name of the reboot
    agent.conductor.fail(order.operation_id)
    agent.conductor.wait(lambda: (server_id, states.SHUTDOWN, 2) in taken(agent))


def taken(agent: Agent) -> list[tuple[str, int, int]]:
    return [(report.server_id, report.power_state, report.sequence) for report in agent.conductor.power_reports]
