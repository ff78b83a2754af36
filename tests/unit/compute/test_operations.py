"""The operations on a host: the rows of the protocol's tables that concern the agent."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloudplane import states
from cloudplane.compute import fence as fence_module
from cloudplane.compute.fence import Mark
from cloudplane.compute.virt.fake import READY_LINE
from cloudplane.compute.virt.fake_behaviour import ALWAYS
from cloudplane.context import service_context
from cloudplane.exceptions import GuestInvalid, GuestNotFound, HypervisorUnavailable, ServiceBusy
from cloudplane.objects.image import ACTIVE, Image
from cloudplane.objects.operation import FinishReport, WorkOrder
from tests.unit.compute.agent import Agent, Gate, eventually, running

IMAGE = '11111111-1111-4111-8111-111111111111'


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with running(tmp_path) as started:
        yield started


def snapshot(agent: Agent, server_id: str) -> WorkOrder:
    order = agent.conductor.accept(states.SNAPSHOT, server_id, image_id=IMAGE)
    agent.images.create(Image(id=IMAGE, operation_id=order.operation_id))
    return order


def last_report(agent: Agent) -> FinishReport:
    return agent.conductor.reports[-1]


def calls_of(agent: Agent, method: str) -> int:
    return sum(called == method for called, _server_id in agent.driver.calls)


# Build


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


# Steps and their limits


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


# Supersede


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


# Begin and finish over a bus that loses messages


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


# Power


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


# Delete


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


# Snapshot


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


# The end-points


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
