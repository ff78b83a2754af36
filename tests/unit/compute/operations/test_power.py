"""Start, stop and reboots: done once, whatever was half done."""

import pytest

from cloudplane import states
from tests.unit.compute.agent import Agent, Gate, calls_of, last_report


def test_stop_start_and_both_reboots_do_what_they_say(agent: Agent) -> None:
    server_id = agent.build()
    for kind, shown in (
        (states.STOP, states.SHUTDOWN),
        (states.START, states.RUNNING),
        (states.SOFT_REBOOT, states.RUNNING),
        (states.HARD_REBOOT, states.RUNNING),
    ):
        agent.do(kind, server_id)
        assert agent.power_state(server_id) == shown
        assert last_report(agent).power_state == shown
        assert last_report(agent).succeeded
    assert [event.why for event in agent.events(server_id) if event.event == 'stop'] == [
        'power_off',
        'soft_reboot',
        'hard_reboot',
    ]


@pytest.mark.parametrize(
    ('kind', 'method', 'dies'), [(states.STOP, 'power_off', True), (states.START, 'power_on', False)]
)
def test_what_is_already_so_is_not_done_again(agent: Agent, kind: str, method: str, dies: bool) -> None:
    server_id = agent.build()
    if dies:
        agent.driver.die(server_id)
    agent.do(kind, server_id)
    assert calls_of(agent, method) == 0
    assert last_report(agent).succeeded


def test_a_hard_reboot_that_was_done_before_the_agent_died_is_not_done_again(agent: Agent) -> None:
    server_id = agent.build()
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.HARD_REBOOT, server_id)
    agent.work(order)
    assert gate.reached.wait(10)
    agent.conductor.before.clear()
    agent.bury()
    agent.again().start()
    agent.conductor.wait_ended(order.operation_id)
    assert calls_of(agent, 'hard_reboot') == 0
    assert [event.why for event in agent.events(server_id) if event.event == 'stop'] == ['hard_reboot']
    gate.open()


def test_a_second_hard_reboot_is_done_again(agent: Agent) -> None:
    server_id = agent.build()
    agent.do(states.HARD_REBOOT, server_id)
    agent.do(states.HARD_REBOOT, server_id)
    assert calls_of(agent, 'hard_reboot') == 2


def test_a_guest_that_is_off_is_started_by_a_hard_reboot(agent: Agent) -> None:
    server_id = agent.build()
    agent.do(states.STOP, server_id)
    agent.do(states.HARD_REBOOT, server_id)
    assert agent.power_state(server_id) == states.RUNNING


@pytest.mark.parametrize('reason', ['ignores it', 'is off'])
def test_a_guest_that_a_soft_reboot_does_not_move_is_reset(agent: Agent, reason: str) -> None:
    server_id = agent.build()
    if reason == 'is off':
        agent.driver.die(server_id)
    else:
        agent.driver.ignores_soft_reboot = True
    agent.do(states.SOFT_REBOOT, server_id)
    assert calls_of(agent, 'hard_reboot') == 1
    assert agent.power_state(server_id) == states.RUNNING


def test_an_operation_on_a_guest_that_is_missing_fails_and_says_so(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.destroy(server_id)
    agent.do(states.START, server_id)
    assert 'the guest is not on this host' in last_report(agent).message
    assert last_report(agent).guest_unknown


def test_a_failed_stop_whose_guest_still_runs_is_known_to_run(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.failures['power_off'] = 1
    agent.do(states.STOP, server_id)
    report = last_report(agent)
    assert (report.succeeded, report.guest_unknown, report.power_state) == (False, False, states.RUNNING)
