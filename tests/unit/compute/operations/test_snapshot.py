"""Snapshots leave an active image, or none."""

from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.objects.image import ACTIVE
from tests.unit.compute.agent import IMAGE, Agent, calls_of, eventually, last_report, running, snapshot


def test_a_snapshot_becomes_an_active_image(agent: Agent) -> None:
    server_id = agent.build()
    order = snapshot(agent, server_id)
    agent.work(order)
    agent.conductor.wait_ended(order.operation_id)
    assert agent.images.records[IMAGE].status == ACTIVE
    assert agent.images.copied[IMAGE].startswith(b'QFI\xfb')
    assert [step.name for step in last_report(agent).steps] == ['end_copies', 'copy', 'publish']
    assert agent.power_state(server_id) == states.RUNNING


def test_a_snapshot_whose_image_is_active_is_done(agent: Agent) -> None:
    order = snapshot(agent, agent.build())
    agent.images.records[IMAGE] = agent.images.records[IMAGE].evolve(status=ACTIVE)
    agent.work(order)
    agent.conductor.wait_ended(order.operation_id)
    assert last_report(agent).succeeded
    assert calls_of(agent, 'copy_disk') == 0


def test_a_failed_snapshot_leaves_no_image_and_the_server_as_it_was(agent: Agent) -> None:
    order = snapshot(agent, agent.build())
    agent.driver.failures['copy_disk'] = 1
    agent.work(order)
    agent.conductor.wait_ended(order.operation_id)
    agent.settled(order.server_id)
    assert agent.images.records == {}
    assert (last_report(agent).guest_unknown, last_report(agent).power_state) == (False, states.RUNNING)


def test_a_snapshot_whose_image_was_deleted_fails_and_says_so(agent: Agent) -> None:
    order = snapshot(agent, agent.build())
    agent.images.delete(IMAGE)
    agent.work(order)
    agent.conductor.wait_ended(order.operation_id)
    assert 'was deleted before its data was there' in last_report(agent).message


@pytest.mark.parametrize('store', ['reachable', 'away at first'])
def test_a_snapshot_that_a_delete_superseded_leaves_no_image(agent: Agent, store: str) -> None:
    order = snapshot(agent, agent.build())
    agent.driver.delays['copy_disk'] = 30
    agent.work(order)
    eventually(lambda: calls_of(agent, 'copy_disk') == 1)
    agent.images.unavailable = store != 'reachable'
    agent.do(states.DELETE, order.server_id)
    if agent.images.unavailable:
        assert IMAGE in agent.images.records
        agent.images.unavailable = False
        agent.conductor.force_down()  # the next registration settles it
    eventually(lambda: not agent.images.records)


def test_a_snapshot_that_the_conductor_gave_up_leaves_no_image(agent: Agent) -> None:
    order = snapshot(agent, agent.build())
    agent.driver.delays['copy_disk'] = 30
    agent.work(order)
    eventually(lambda: calls_of(agent, 'copy_disk') == 1)
    operation = agent.conductor.operations[order.operation_id]
    operation.server.operation, operation.state = None, states.FAILED
    eventually(lambda: not agent.images.records)
    assert agent.power_state(order.server_id) == states.RUNNING


def test_a_copy_that_stalls_fails_and_one_that_advances_does_not(tmp_path: Path) -> None:
    with running(tmp_path, transfer_stall_s=0.2) as agent:
        agent.driver.delays['copy_disk'] = 0.5
        agent.driver.trickles.add('copy_disk')
        order = snapshot(agent, agent.build())
        agent.work(order)
        agent.conductor.wait_ended(order.operation_id)
        assert last_report(agent).succeeded
        agent.images.records.clear()
        agent.driver.trickles.clear()
        order = snapshot(agent, order.server_id)
        agent.work(order)
        agent.conductor.wait_ended(order.operation_id)
        assert 'the copy of the root disk made no progress for 0.2 s' in last_report(agent).message
