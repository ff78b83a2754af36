"""One agent per host."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudplane.compute.lock import AgentLock
from cloudplane.exceptions import ConfigurationError
from tests.unit.compute.agent import HOST, Agent
from tests.unit.compute.fake_conductor import FakeConductor


def test_a_second_agent_is_refused_and_told_who_has_the_host(tmp_path: Path) -> None:
    first = AgentLock(tmp_path / 'state' / 'agent.lock')
    first.acquire()
    with pytest.raises(ConfigurationError, match=rf'process {os.getpid()}.*agent\.lock'):
        AgentLock(tmp_path / 'state' / 'agent.lock').acquire()
    first.release()
    first.release()
    AgentLock(tmp_path / 'state' / 'agent.lock').acquire()


def test_a_dead_agent_does_not_keep_its_host(tmp_path: Path) -> None:
    code = 'import sys, os, pathlib\nfrom cloudplane.compute.lock import AgentLock\n'
    code += f'AgentLock(pathlib.Path({str(tmp_path / "agent.lock")!r})).acquire(); os.kill(os.getpid(), 9)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == -9
    AgentLock(tmp_path / 'agent.lock').acquire()


def test_an_agent_whose_host_is_taken_touches_nothing(tmp_path: Path) -> None:
    conductor = FakeConductor(HOST)
    first = Agent(tmp_path, conductor).start()
    second = Agent(tmp_path, conductor)
    with pytest.raises(ConfigurationError):
        second.service.prepare()
    assert conductor.calls.count('register') == 1
    first.stop()
    second.start()
    second.stop()


def test_a_host_that_cannot_run_guests_is_given_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path, FakeConductor(HOST))

    def broken() -> None:
        raise ConfigurationError('no hypervisor')

    monkeypatch.setattr(agent.driver, 'start', broken)
    with pytest.raises(ConfigurationError, match='no hypervisor'):
        agent.service.prepare()
    AgentLock(tmp_path / 'agent.lock').acquire()
