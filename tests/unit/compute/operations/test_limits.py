"""Steps that take too long, and work that something newer supersedes."""

from pathlib import Path

from cloudplane import states
from cloudplane.context import service_context
from cloudplane.objects.operation import FinishReport
from tests.unit.compute.agent import Agent, Gate, calls_of, eventually, last_report, running


def test_a_fetch_that_stalls_fails_and_one_that_advances_does_not(tmp_path: Path) -> None:
    with running(tmp_path, transfer_stall_s=0.2) as agent:
        agent.driver.needs_image_files = True
        agent.base_images.takes_s = 0.6
        agent.do(states.BUILD)
        assert last_report(agent).succeeded
        agent.base_images.advances, agent.base_images.takes_s = False, 60
        agent.do(states.BUILD)
        assert 'the base image made no progress for 0.2 s' in last_report(agent).message
        assert last_report(agent).clean


def test_a_start_that_hangs_is_reported_and_its_guest_left_alone_until_it_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, start_step_s=0.1, step_grace_s=0.05) as agent:
        agent.driver.delays['start_paused'] = 0.6
        order = agent.do_not_wait(states.BUILD)
        agent.conductor.wait_ended(order.operation_id)
        report = last_report(agent)
        assert 'took longer than 0.1 s' in report.message
        assert report.clean is False
        assert calls_of(agent, 'destroy') == 0
        eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
        assert agent.driver.leftovers() == set()


def test_a_stop_that_hangs_leaves_the_guest_unknown(tmp_path: Path) -> None:
    with running(tmp_path, power_off_step_s=0.1, step_grace_s=0.05) as agent:
        server_id = agent.build()
        agent.driver.deaf.add('power_off')
        agent.driver.delays['power_off'] = 0.5
        agent.do(states.STOP, server_id)
        assert last_report(agent).guest_unknown


def test_a_delete_in_mid_build_waits_for_the_step_and_leaves_nothing(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    eventually(lambda: calls_of(agent, 'make_disk') == 1)
    agent.driver.delays.clear()
    agent.do(states.DELETE, order.server_id)
    assert [report.operation_id for report in agent.conductor.reports] != [order.operation_id]
    assert len(agent.conductor.reports) == 1
    assert agent.driver.leftovers() == set()
    assert agent.events(order.server_id) == []


def test_a_step_that_does_not_listen_is_waited_for_before_the_delete(agent: Agent) -> None:
    agent.driver.deaf.add('make_disk')
    agent.driver.delays['make_disk'] = 0.3
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    eventually(lambda: calls_of(agent, 'make_disk') == 1)
    agent.do(states.DELETE, order.server_id)
    assert agent.driver.leftovers() == set()


def test_a_delete_between_commit_and_resume_finds_a_guest_that_never_ran(agent: Agent) -> None:
    gate = Gate()
    order = agent.conductor.accept(states.BUILD)
    finish = agent.conductor.finish

    def committed(ctxt: object, report: FinishReport) -> object:
        verdict = finish(service_context(), report)
        if report.operation_id == order.operation_id:
            gate()
        return verdict

    agent.conductor.finish = committed  # type: ignore[method-assign,assignment]
    agent.work(order)
    assert gate.reached.wait(10)
    deletion = agent.conductor.accept(states.DELETE, order.server_id)
    agent.work(deletion)
    gate.open()
    agent.conductor.wait_ended(deletion.operation_id)
    assert [event.event for event in agent.events(order.server_id)] == ['start_paused', 'stop']
