"""The agent while nothing can be written to its state folder: the disk is full, or was mounted read-only."""

import errno

import pytest

from cloudplane import states
from cloudplane.compute import fence
from tests.unit.compute.agent import Agent, calls_of, last_report


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Fills the disk when `fill` is called with it."""
    return monkeypatch


def fill(full: pytest.MonkeyPatch) -> None:
    def no_space(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    full.setattr(fence, '_replace', no_space)


def test_a_delete_goes_on_because_it_makes_room(agent: Agent, full: pytest.MonkeyPatch) -> None:
    server_id = agent.build()
    fill(full)
    agent.do(states.DELETE, server_id)
    assert last_report(agent).succeeded
    assert agent.driver.leftovers() == set()


def test_a_build_fails_clean_so_that_another_host_may_do_it(agent: Agent, full: pytest.MonkeyPatch) -> None:
    fill(full)
    agent.do(states.BUILD)
    report = last_report(agent)
    assert (report.succeeded, report.retryable, report.clean) == (False, True, True)
    assert 'No space left on device' in report.message
    assert calls_of(agent, 'make_disk') == 0


def test_a_stop_fails_at_once_and_its_guest_is_not_touched(agent: Agent, full: pytest.MonkeyPatch) -> None:
    server_id = agent.build()
    fill(full)
    agent.do(states.STOP, server_id)
    report = last_report(agent)
    assert (report.succeeded, report.guest_unknown, report.power_state) == (False, False, states.RUNNING)
    assert 'No space left on device' in report.message


def test_a_residue_is_told_of_as_soon_as_there_is_room(agent: Agent, full: pytest.MonkeyPatch) -> None:
    order = agent.do_not_wait(states.BUILD)
    agent.conductor.wait_ended(order.operation_id)
    agent.settled(order.server_id)
    fill(full)
    with agent.conductor._lock:
        agent.conductor.fail(order.operation_id)
        agent.conductor.servers[order.server_id].launched = False
        agent.conductor.known = False  # it registers again, once
    agent.conductor.wait(lambda: calls_of(agent, 'destroy') > 0)
    full.undo()
    agent.conductor.wait(lambda: order.server_id in agent.conductor.cleaned_ids)
