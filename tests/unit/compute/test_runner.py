"""Runners: what works on a guest works on it alone; what may stand before what."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute.converge import Wish
from cloudplane.objects.operation import Refusal, WorkOrder
from tests.unit.compute.agent import eventually
from tests.unit.compute.runner_bench import Bench
from tests.unit.compute.test_fence import order


def build(server_id: str) -> WorkOrder:
    return order(1, server_id=server_id, kind=states.BUILD)


def delete(server_id: str, sequence: int = 2) -> WorkOrder:
    return order(sequence, server_id=server_id, kind=states.DELETE)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, max_concurrent_builds=2, max_concurrent_snapshots=1, max_held=6)
    made.runners.open()
    yield made
    for gate in made.gates.values():
        gate.open()
    made.runners.stop(5)


def test_orders_wait_until_the_agent_has_registered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runners.submit(build('a'))
    assert [held.running for held in bench.runners.held()] == [False]
    assert bench.done == []
    bench.runners.open()
    bench.idle()
    assert bench.done == ['a build 1']


def test_wishes_are_fulfilled_before_the_orders_of_the_same_server(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runners.submit(order(2, server_id='a'))
    bench.runners.wish(Wish(server_id='a', sequence=2, wanted='on', why='test'))
    bench.runners.open()
    bench.idle()
    assert bench.done == ['a on', 'a start 2']


def test_builds_and_snapshots_are_limited_and_all_have_their_turn(bench: Bench) -> None:
    gates = [bench.gate(f'b{number}') for number in range(4)]
    for number in range(4):
        bench.runners.submit(build(f'b{number}'))
    for gate in gates:
        gate.open()
    bench.idle()
    assert bench.most_together[states.BUILD] <= 2
    assert sorted(bench.done) == [f'b{number} build 1' for number in range(4)]


def test_waiting_builds_do_not_stand_before_deletes_power_and_snapshots(bench: Bench) -> None:
    gates = [bench.gate(f'b{number}') for number in range(2)]
    for number in range(3):
        bench.runners.submit(build(f'b{number}'))
    for gate in gates:
        assert gate.reached.wait(10)
    bench.runners.submit(delete('x'))
    bench.runners.submit(order(1, server_id='y', kind=states.STOP))
    bench.runners.submit(order(1, server_id='z', kind=states.SNAPSHOT))
    eventually(lambda: len(bench.done) == 3)
    assert 'b2 build 1' not in bench.done


def test_a_build_that_waits_for_its_turn_is_replaced_by_a_delete_at_once(bench: Bench) -> None:
    for number in range(2):
        bench.gate(f'b{number}')
    for number in range(3):
        bench.runners.submit(build(f'b{number}'))
    bench.runners.submit(delete('b2'))
    eventually(lambda: bench.done == ['b2 delete 2'])


def test_a_place_that_a_replaced_build_waited_for_goes_to_the_next(bench: Bench) -> None:
    first, second = bench.gate('b0'), bench.gate('b1')
    for number in range(4):
        bench.runners.submit(build(f'b{number}'))
    assert first.reached.wait(10)
    assert second.reached.wait(10)
    bench.runners.submit(delete('b2'))
    eventually(lambda: 'b2 delete 2' in bench.done)
    first.open()
    eventually(lambda: 'b3 build 1' in bench.done)


def test_a_newer_order_cancels_what_runs_waits_for_its_step_and_comes_next(bench: Bench) -> None:
    gate = bench.gate('a')
    bench.runners.submit(build('a'))
    assert gate.reached.wait(10)
    bench.runners.submit(delete('a'))
    assert bench.jobs[0].is_cancelled
    assert bench.done == []
    assert [held.operation_id for held in bench.runners.held()] == ['operation-2']
    gate.open()
    bench.idle()
    assert bench.done == ['a build 1 superseded', 'a delete 2']


def test_an_order_for_what_runs_only_raises_its_attempt(bench: Bench) -> None:
    gate = bench.gate('a')
    bench.runners.submit(build('a'))
    assert gate.reached.wait(10)
    bench.runners.submit(order(1, 4, server_id='a', kind=states.BUILD))
    bench.runners.submit(order(1, 2, server_id='a', kind=states.BUILD))
    assert [held.attempt for held in bench.runners.held()] == [4]
    assert bench.fence.mark('a').key == (1, 4)  # type: ignore[union-attr]
    gate.open()
    bench.idle()
    assert bench.done == ['a build 1']


def test_a_higher_attempt_of_what_waits_replaces_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for attempt in (1, 3, 2):
        bench.runners.submit(order(1, attempt, server_id='a'))
    assert [held.attempt for held in bench.runners.held()] == [3]


@pytest.mark.parametrize('late', [(1, 9), (2, 1)], ids=['sequence', 'attempt'])
def test_late_orders_are_refused_while_work_runs_and_after_it(bench: Bench, late: tuple[int, int]) -> None:
    gate = bench.gate('a')
    bench.runners.submit(order(2, 2, server_id='a', kind=states.STOP))
    assert gate.reached.wait(10)
    bench.runners.submit(order(*late, server_id='a', kind=states.STOP))
    gate.open()
    bench.idle()
    bench.runners.submit(order(*late, server_id='a', kind=states.STOP))
    bench.idle()
    assert bench.done == ['a stop 2']


def test_an_order_that_has_ended_is_answered_again_from_its_report(bench: Bench) -> None:
    bench.runners.submit(build('a'))
    bench.idle()
    bench.runners.submit(build('a'))
    bench.idle()
    assert bench.done == ['a build 1', 'a build 1 again']
    report = bench.jobs[1].known_report
    assert report is not None
    assert report.operation_id == 'operation-1'


def test_the_same_order_with_a_higher_attempt_is_done_anew_once_it_has_ended(bench: Bench) -> None:
    bench.runners.submit(build('a'))
    bench.idle()
    bench.runners.submit(order(1, 2, server_id='a', kind=states.BUILD))
    bench.idle()
    assert bench.done == ['a build 1', 'a build 1']


def test_beyond_max_held_orders_are_dropped_with_a_line_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gates = [bench.gate(f's{number}') for number in range(7)]
    for number in range(7):
        bench.runners.submit(order(1, server_id=f's{number}'))
    assert len(bench.runners.held()) == 6
    assert 'Dropped start operation-1 (1, 1) of server s6' in caplog.text
    bench.runners.submit(delete('s0'))  # what is held already may be superseded
    for gate in gates:
        gate.open()
    bench.idle()
    assert 's0 delete 2' in bench.done
    assert 's6 start 1' not in bench.done


def test_a_refusal_cancels_what_runs_and_makes_the_guest_as_wanted(bench: Bench) -> None:
    gate = bench.gate('a')
    bench.runners.submit(build('a'))
    assert gate.reached.wait(10)
    bench.runners.refuse(refusal(attempt=1, wanted='absent'))
    gate.open()
    bench.idle()
    assert bench.done == ['a build 1 refused', 'a absent']
    assert bench.jobs[0].verdict is not None


def test_a_refusal_of_a_lower_attempt_than_the_one_that_runs_is_ignored(bench: Bench) -> None:
    gate = bench.gate('a')
    bench.runners.submit(order(1, 2, server_id='a', kind=states.BUILD))
    assert gate.reached.wait(10)
    bench.runners.refuse(refusal(attempt=1, wanted='absent'))
    gate.open()
    bench.idle()
    assert bench.done == ['a build 1']


def test_a_refusal_of_what_waits_removes_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runners.submit(build('a'))
    bench.runners.refuse(refusal(attempt=1, wanted='absent'))
    bench.idle()
    assert bench.done == ['a absent']


def test_a_refusal_of_what_is_not_held_does_nothing(bench: Bench) -> None:
    bench.runners.refuse(refusal(attempt=1, wanted='absent'))
    assert bench.done == []


def test_a_wish_is_queued_once_and_dropped_for_a_newer_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    gate = bench.gate('a')
    first = bench.runners.wish(Wish(server_id='a', sequence=1, wanted='on', why='first'))
    assert gate.reached.wait(10)
    wish = Wish(server_id='a', sequence=1, wanted='off', why='test')
    assert bench.runners.wish(wish) is bench.runners.wish(wish)
    second = bench.runners.wish(wish)
    bench.runners.open()
    bench.runners.submit(delete('a'))
    assert first.is_cancelled
    gate.open()
    bench.idle()
    assert second.done.is_set()
    assert bench.done == ['a on cancelled', 'a delete 2']


def test_a_residue_ends_what_is_not_newer_than_it(bench: Bench) -> None:
    gate = bench.gate('a')
    bench.runners.submit(order(3, server_id='a'))
    assert gate.reached.wait(10)
    bench.runners.wish(Wish(server_id='a', sequence=2, wanted='absent', why='an older one'))
    assert not bench.jobs[0].is_cancelled
    bench.runners.wish(Wish(server_id='a', sequence=3, wanted='absent', why='test'))
    assert bench.jobs[0].is_cancelled


def test_a_stopping_agent_takes_nothing_in_and_lets_the_present_step_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    bench.runners.open()
    gate = bench.gate('a')
    bench.runners.submit(build('a'))
    assert gate.reached.wait(10)
    stopped = threading.Thread(target=bench.runners.stop, args=(10,))
    stopped.start()
    eventually(lambda: bench.jobs[0].why is not None)
    bench.runners.submit(build('late'))
    assert 'Dropped build' in caplog.text
    gate.open()
    stopped.join(10)
    assert 'a build 1 stopping' in bench.done


def test_a_step_that_does_not_end_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runners.open()
    gate = bench.gate('a')
    bench.runners.submit(build('a'))
    assert gate.reached.wait(10)
    assert bench.runners.stop(0.05) is False
    gate.open()


def test_a_job_that_breaks_does_not_take_its_runner_with_it(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def explode(_job: object) -> None:
        raise RuntimeError('a bug')

    bench.gates['a'] = explode  # type: ignore[assignment]
    bench.runners.submit(build('a'))
    bench.idle()
    assert 'ended unexpectedly' in caplog.text
    del bench.gates['a']
    bench.runners.submit(delete('a'))
    bench.idle()
    assert bench.done == ['a delete 2']


def refusal(*, attempt: int, wanted: str) -> Refusal:
    return Refusal(operation_id='operation-1', server_id='a', attempt=attempt, wanted=wanted, reason='test')
