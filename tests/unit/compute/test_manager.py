"""The agent's end-points."""

import threading
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute.virt.fake import READY_LINE
from cloudplane.context import service_context
from cloudplane.exceptions import GuestNotFound, ServiceBusy
from tests.unit.compute.agent import Agent, Gate, eventually, running


def test_the_console_is_read_from_the_driver(agent: Agent) -> None:
    server_id = agent.build()
    eventually(lambda: READY_LINE in agent.service.manager.console_log(service_context(), server_id, None))
    assert agent.service.manager.console_log(service_context(), server_id, 1) == f'{READY_LINE}\n'
    assert agent.service.manager.console_log(service_context(), server_id, 0) == ''


def test_the_console_of_a_missing_guest_is_an_expected_refusal(agent: Agent) -> None:
    for server_id in ('missing', '../../etc/passwd'):
        with pytest.raises(Exception) as refused:  # noqa: PT011 - oslo.messaging wraps what is expected
            agent.service.manager.console_log(service_context(), server_id, None)
        assert issubclass(refused.value.exc_info[0], GuestNotFound)  # type: ignore[attr-defined]


def test_too_many_readers_of_consoles_are_told_that_the_host_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, max_console_reads=1) as agent:
        gate = Gate()

        def held(_server_id: str, _lines: int | None) -> str:
            gate()
            return 'text'

        monkeypatch.setattr(agent.driver, 'console_log', held)
        reader = threading.Thread(target=agent.service.manager.console_log, args=(service_context(), 's', None))
        reader.start()
        assert gate.reached.wait(10)
        with pytest.raises(Exception) as refused:  # noqa: PT011 - oslo.messaging wraps what is expected
            agent.service.manager.console_log(service_context(), 's', None)
        assert issubclass(refused.value.exc_info[0], ServiceBusy)  # type: ignore[attr-defined]
        gate.open()
        reader.join(10)
        assert agent.service.manager.console_log(service_context(), 's', None) == 'text'


@pytest.mark.parametrize(('host', 'server_id'), [('other', None), ('host-1', '../x')])
def test_an_order_that_is_not_for_this_host_is_ignored(
    agent: Agent, host: str, server_id: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    order = agent.conductor.accept(states.BUILD)
    agent.work(order.evolve(host=host, server_id=server_id or order.server_id))
    assert 'is ignored' in caplog.text
    assert not agent.service.holds(order.server_id)
