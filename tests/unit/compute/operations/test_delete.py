"""Deletes do not ask, and go on until nothing is left."""

import msgspec

from cloudplane import states
from cloudplane.compute.fence import Mark
from cloudplane.compute.virt.fake_behaviour import ALWAYS
from tests.unit.compute.agent import Agent, last_report


def test_a_delete_does_not_ask_and_leaves_but_a_tombstone(agent: Agent) -> None:
    server_id = agent.build()
    begun = agent.conductor.calls.count('begin')
    agent.do(states.DELETE, server_id)
    assert agent.conductor.calls.count('begin') == begun
    assert agent.driver.leftovers() == set()
    assert [event.event for event in agent.events(server_id)][-1] == 'stop'
    agent.settled(server_id)
    mark = msgspec.json.decode((agent.path / 'fence' / f'{server_id}.json').read_bytes(), type=Mark)
    assert (mark.gone, mark.key) == (True, (2, 1))


def test_a_delete_of_what_is_not_there_succeeds(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.destroy(server_id)
    agent.do(states.DELETE, server_id)
    assert last_report(agent).succeeded


def test_a_delete_goes_on_while_it_fails(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.failures['destroy'] = 3
    agent.do(states.DELETE, server_id)
    assert last_report(agent).succeeded
    assert len(last_report(agent).steps) == 2  # the last failure, and the success


def test_a_delete_fails_when_its_time_is_over(agent: Agent) -> None:
    server_id = agent.build()
    agent.driver.failures['destroy'] = ALWAYS
    order = agent.conductor.accept(states.DELETE, server_id)
    agent.work(order.evolve(remaining_s=0.1))
    agent.conductor.wait_ended(order.operation_id)
    assert not last_report(agent).succeeded
    assert 'destroy' in last_report(agent).message
