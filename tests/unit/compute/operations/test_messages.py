"""Begin and finish over a bus that loses messages, and orders that come again."""

import pytest

from cloudplane import states
from tests.unit.compute.agent import Agent, Gate, calls_of, eventually, last_report


@pytest.mark.parametrize('lost', ['lost_requests', 'lost_answers'])
@pytest.mark.parametrize('method', ['begin', 'finish'])
@pytest.mark.parametrize('kind', [states.BUILD, states.DELETE])
def test_begin_and_finish_are_repeated_until_they_are_answered(agent: Agent, lost: str, method: str, kind: str) -> None:
    server_id = agent.build() if kind == states.DELETE else None
    getattr(agent.conductor, lost)[method] = 3
    order = agent.do(kind, server_id)
    assert agent.conductor.operations[order.operation_id].state == states.DONE
    ended = [report.operation_id for report in agent.conductor.reports]
    assert ended.count(order.operation_id) == 1
    if kind == states.BUILD:
        eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)


def test_an_error_in_the_conductor_is_no_answer(agent: Agent) -> None:
    failures = iter([RuntimeError('a bug'), ValueError('another')])

    def broken(_report: object) -> None:
        for error in failures:
            raise error

    agent.conductor.before['finish'] = broken
    assert agent.build()


def test_a_finish_with_an_old_epoch_is_told_again_in_the_new_one(agent: Agent) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    assert gate.reached.wait(10)
    agent.conductor.force_down()
    gate.open()
    agent.conductor.wait_ended(order.operation_id)
    assert last_report(agent).epoch == 2
    assert agent.conductor.calls.count('register') == 2


def test_the_attempt_that_came_last_is_reported(agent: Agent) -> None:
    gate = Gate()
    agent.driver.delays['start_paused'] = 0.2
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    eventually(lambda: calls_of(agent, 'start_paused') == 1)
    agent.work(agent.conductor.redrive(order.operation_id))
    gate.open()
    agent.conductor.wait_ended(order.operation_id)
    assert last_report(agent).attempt == 2
    assert calls_of(agent, 'start_paused') == 1


@pytest.mark.parametrize('when', ['before the answer', 'after it'])
def test_a_finish_that_lost_against_a_redrive_is_told_with_the_new_attempt(agent: Agent, when: str) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    assert gate.reached.wait(10)
    again = agent.conductor.redrive(order.operation_id)
    if when == 'before the answer':
        agent.work(again)
        gate.open()
    else:
        gate.open()
        agent.settled(order.server_id)
        assert agent.power_state(order.server_id) == states.POWER_PAUSED
        agent.work(again)
    agent.conductor.wait_ended(order.operation_id)
    eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)
    assert last_report(agent).attempt == 2


def test_an_order_that_comes_again_after_its_end_changes_nothing(agent: Agent) -> None:
    order = agent.do(states.BUILD)
    agent.work(order)
    agent.settled(order.server_id)
    assert agent.conductor.calls.count('begin') == 1
    assert agent.conductor.calls.count('finish') == 2
    assert calls_of(agent, 'start_paused') == 1


def test_an_older_order_for_a_deleted_server_is_refused_after_a_restart(agent: Agent) -> None:
    order = agent.do(states.BUILD)
    agent.do(states.DELETE, order.server_id)
    agent.stop()
    agent.again().start()
    agent.work(order)
    agent.settled(order.server_id)
    assert agent.driver.leftovers() == set()
    assert agent.driver.calls == type(agent.driver.calls)()
