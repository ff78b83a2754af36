"""Builds commit before they run, and clean up after themselves."""

from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute import fence as fence_module
from cloudplane.compute.virt.fake_behaviour import ALWAYS
from cloudplane.exceptions import GuestInvalid, HypervisorUnavailable
from tests.unit.compute.agent import Agent, Gate, calls_of, eventually, last_report


def test_a_build_commits_before_its_guest_runs(agent: Agent) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    assert gate.reached.wait(10)
    guest = agent.driver.guest(order.server_id)
    assert guest is not None
    assert (guest.power_state, guest.committed) == (states.POWER_PAUSED, False)
    gate.open()
    eventually(lambda: [event.event for event in agent.events(order.server_id)] == ['start_paused', 'resume'])
    assert agent.power_state(order.server_id) == states.RUNNING


def test_a_build_reports_its_steps_its_addresses_and_that_it_will_run(agent: Agent) -> None:
    agent.build()
    report = last_report(agent)
    assert [step.name for step in report.steps] == ['network', 'disk', 'config_drive', 'start']
    assert all(
        step.result == 'Success' and step.finished_at and step.finished_at > step.started_at for step in report.steps
    )
    assert report.addresses
    assert report.power_state == states.RUNNING


def test_a_build_without_networks_has_no_addresses(agent: Agent) -> None:
    agent.do(states.BUILD, networks='none')
    assert last_report(agent).addresses == ()


def test_a_build_writes_its_fence_once(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    replace = fence_module._replace

    def noted(path: Path, content: bytes) -> None:
        written.append(path)
        replace(path, content)

    monkeypatch.setattr(fence_module, '_replace', noted)
    agent.build()
    assert len(written) == 1  # each is synced: what a boot waits for


def test_a_build_that_is_not_agreed_to_touches_nothing(agent: Agent) -> None:
    order = agent.conductor.accept(states.BUILD)
    agent.conductor.vanish(order.server_id)
    agent.conductor.residues.clear()
    agent.work(order)
    eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
    assert calls_of(agent, 'make_network') == 0
    assert agent.driver.leftovers() == set()


def test_a_build_whose_commit_is_refused_is_removed_and_never_ran(agent: Agent) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    assert gate.reached.wait(10)
    agent.conductor.vanish(order.server_id)
    gate.open()
    eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
    assert agent.driver.leftovers() == set()
    assert [event.event for event in agent.events(order.server_id)] == ['start_paused', 'stop']


@pytest.mark.parametrize('power_state', [states.POWER_PAUSED, states.RUNNING])
def test_a_guest_of_the_same_build_is_adopted(agent: Agent, power_state: int) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    order = agent.conductor.accept(states.BUILD)
    agent.work(order)
    assert gate.reached.wait(10)
    agent.conductor.before.clear()
    if power_state == states.RUNNING:
        agent.driver.resume(order.server_id)
    agent.bury()
    agent.again().start()
    agent.conductor.wait_ended(order.operation_id)
    eventually(lambda: agent.power_state(order.server_id) == states.RUNNING)
    assert calls_of(agent, 'make_disk') == 0
    assert len({event.run_id for event in agent.events(order.server_id)}) == 1
    guest = agent.driver.guest(order.server_id)
    assert guest is not None
    assert guest.attempt == 2
    gate.open()


def test_a_failed_build_cleans_up_and_says_what_where_and_what_to_do(agent: Agent) -> None:
    agent.driver.failures['start_paused'] = 1
    agent.do(states.BUILD)
    report = last_report(agent)
    assert not report.succeeded
    assert report.message == (
        'Build failed on host host-1 in its step start: the fake hypervisor was told to fail in start_paused'
    )
    assert report.details is not None
    assert 'Traceback' in report.details
    assert (report.clean, report.retryable) == (True, True)
    assert [(step.name, step.result) for step in report.steps][-1] == ('start', 'Error')
    assert agent.driver.leftovers() == set()


def test_a_build_that_cannot_clean_up_says_so_and_is_removed_later(agent: Agent) -> None:
    agent.driver.failures |= {'make_disk': 1, 'destroy': 2}
    order = agent.do(states.BUILD)
    assert last_report(agent).clean is False
    eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
    assert agent.driver.leftovers() == set()


def test_a_build_that_no_host_can_do_is_not_worth_a_retry(agent: Agent) -> None:
    agent.driver.failure = GuestInvalid
    agent.driver.failures['make_config_drive'] = 1
    agent.do(states.BUILD)
    assert (last_report(agent).retryable, last_report(agent).clean) == (False, True)


def test_an_unexpected_error_is_reported_without_its_innards(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object) -> None:
        raise KeyError('secret')

    monkeypatch.setattr(agent.driver, 'make_disk', broken)
    order = agent.do(states.BUILD)
    report = last_report(agent)
    assert 'unexpected KeyError' in report.message
    assert order.request_id in report.message
    assert 'secret' not in report.message
    assert 'secret' in (report.details or '')
    assert 'secret' in caplog.text


def test_a_hypervisor_that_is_away_for_a_moment_is_waited_for(agent: Agent) -> None:
    agent.driver.failure = HypervisorUnavailable
    agent.driver.failures |= {'make_network': 1, 'make_disk': 1, 'start_paused': 1}
    agent.do(states.BUILD)
    assert last_report(agent).succeeded


def test_a_hypervisor_that_stays_away_fails_the_build(agent: Agent) -> None:
    agent.driver.failure = HypervisorUnavailable
    agent.driver.failures['make_disk'] = ALWAYS
    agent.do(states.BUILD)
    assert not last_report(agent).succeeded


def test_the_base_image_is_fetched_only_for_a_driver_that_needs_it(agent: Agent) -> None:
    agent.build()
    assert agent.base_images.asked == []
    agent.driver.needs_image_files = True
    agent.build()
    assert agent.base_images.asked == ['image']
    assert 'image' in [step.name for step in last_report(agent).steps]


def test_a_kind_that_the_agent_does_not_know_is_refused_by_name(agent: Agent) -> None:
    agent.do('teleport', agent.build())
    assert "operations of the kind 'teleport'" in last_report(agent).message
    assert not last_report(agent).guest_unknown
