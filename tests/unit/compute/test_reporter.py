"""Heartbeats, and what their answers ask for."""

import threading
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.exceptions import CloudplaneException, DatabaseUnavailable, HypervisorUnavailable, ServiceBusy
from tests.unit.compute.agent import Agent, Gate, eventually, running


def test_heartbeats_say_what_is_held_and_in_which_step(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.do_not_wait(states.BUILD)
    agent.conductor.wait(lambda: any(held.step == 'disk' for beat in agent.conductor.beats for held in beat.held))
    (held,) = agent.conductor.beats[-1].held
    assert (held.operation_id, held.attempt, held.running) == (order.operation_id, 1, True)


def test_an_operation_that_waits_for_its_turn_is_held_and_not_running(tmp_path: Path) -> None:
    with running(tmp_path, max_concurrent_builds=1) as agent:
        agent.driver.delays['make_disk'] = 30
        agent.do_not_wait(states.BUILD)
        agent.do_not_wait(states.BUILD)
        agent.conductor.wait(
            lambda: [False, True] in [sorted(h.running for h in beat.held) for beat in agent.conductor.beats]
        )


def test_the_inventory_is_told_when_it_changes_and_only_then(agent: Agent) -> None:
    agent.conductor.wait(lambda: len(agent.conductor.beats) > 3)
    assert len(agent.conductor.inventories) == 1
    agent.conductor.lost_answers['heartbeat'] = 1000
    agent.driver.vcpus = 128
    agent.conductor.wait(lambda: len(agent.conductor.inventories) >= 3)  # told again: nobody had answered
    agent.conductor.lost_answers['heartbeat'] = 0
    agent.conductor.wait(lambda: agent.conductor.beats[-1].inventory is None)
    assert agent.conductor.inventories[-1].vcpus == 128


def test_an_inventory_that_cannot_be_made_does_not_stop_the_heart(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise HypervisorUnavailable('away')

    monkeypatch.setattr(agent.driver, 'inventory', away)
    before = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > before + 2)


def test_a_hypervisor_that_hangs_does_not_stop_the_heart(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(10)
        raise HypervisorUnavailable('away')

    monkeypatch.setattr(agent.driver, 'inventory', hang)
    assert entered.wait(10)
    before = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > before + 2)
    release.set()


def test_an_agent_that_is_not_known_registers_again(agent: Agent) -> None:
    agent.conductor.known = False
    agent.conductor.wait(lambda: agent.conductor.calls.count('register') == 2)
    agent.conductor.wait(lambda: agent.conductor.known)


def test_a_refused_operation_is_cancelled_and_its_guest_removed(agent: Agent) -> None:
    agent.driver.delays['make_disk'] = 30
    order = agent.do_not_wait(states.BUILD)
    eventually(lambda: ('make_disk', order.server_id) in agent.driver.calls)
    agent.conductor.fail(order.operation_id)
    eventually(lambda: order.server_id in agent.conductor.cleaned_ids)
    assert agent.driver.leftovers() == set()
    assert agent.conductor.reports == []


def test_residues_of_a_heartbeat_are_destroyed(agent: Agent) -> None:
    server_id = agent.build()
    agent.conductor.vanish(server_id)
    eventually(lambda: agent.conductor.cleaned_ids == [server_id])
    assert agent.driver.leftovers() == set()


def test_a_bus_that_has_lost_the_way_back_is_built_anew_after_some_heartbeats(agent: Agent) -> None:
    agent.conductor.lost_answers['heartbeat'] = 7
    agent.conductor.wait(lambda: agent.conductor.lost_answers['heartbeat'] == 0)
    beats = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > beats + 1)
    assert agent.rebuilt == 2  # after three, and after six


def test_an_agent_that_cannot_register_builds_its_transport_anew_too(tmp_path: Path) -> None:
    with running(tmp_path) as agent:
        agent.conductor.lost_requests['register'] = 3
        agent.conductor.known = False
        agent.conductor.wait(lambda: agent.conductor.known)
        assert agent.rebuilt == 1


def test_an_error_in_the_conductor_does_not_stop_the_heart(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    errors = [RuntimeError('a bug')]

    def broken(_beat: object) -> None:
        if errors:
            raise errors.pop()

    agent.conductor.before['heartbeat'] = broken
    eventually(lambda: not errors)
    before = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > before + 1)
    assert 'A heartbeat failed in the conductor' in caplog.text


def test_a_hypervisor_that_goes_away_is_logged_once_and_its_return_too(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    agent.driver.unusable = 'libvirt does not answer'
    eventually(lambda: 'cannot take guests: libvirt does not answer' in caplog.text)
    before = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > before + 2)
    agent.driver.unusable = None
    eventually(lambda: 'can take guests again' in caplog.text)
    assert caplog.text.count('cannot take guests') == 1


def test_heartbeats_go_on_while_the_agent_drains(agent: Agent) -> None:
    gate = Gate()
    agent.conductor.before['finish'] = gate
    agent.do_not_wait(states.BUILD)
    assert gate.reached.wait(10)
    before = len(agent.conductor.beats)
    agent.conductor.wait(lambda: len(agent.conductor.beats) > before + 1)
    gate.open()


@pytest.mark.parametrize('answer', [DatabaseUnavailable, ServiceBusy])
def test_a_conductor_that_answers_that_it_cannot_is_no_lost_bus(
    agent: Agent, answer: type[CloudplaneException]
) -> None:
    asked = []

    def cannot(_beat: object) -> None:
        asked.append(1)
        raise answer

    agent.conductor.before['heartbeat'] = cannot
    eventually(lambda: len(asked) > 2 * agent.settings.heartbeats_lost)
    assert agent.rebuilt == 0
