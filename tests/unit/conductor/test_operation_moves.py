"""Each event from each state of an operation: it moves as the table says, and what is illegal changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from cloudplane import exceptions, states
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host

Q, S, R, D, F, X = (
    states.QUEUED,
    states.SCHEDULED,
    states.STARTED,
    states.DONE,
    states.FAILED,
    states.SUPERSEDED,
)
STATES = (Q, S, R, D, F, X)

# What becomes of the operation: event -> the state after it, from each of STATES.
BUILD_TABLE = {
    'claim': (S, S, R, D, F, X),
    'begin': (Q, R, R, D, F, X),
    'finish': (Q, S, D, D, F, X),  # from scheduled it has not begun, so it cannot have been done
    'fail for good': (Q, F, F, D, F, X),
    'fail, worth a retry': (Q, Q, Q, D, F, X),
    'wake-up or lease over': (Q, S, R, D, F, X),
    'host down': (Q, Q, Q, D, F, X),
    'host forced down': (Q, Q, Q, D, F, X),
    'deadline': (F, F, F, D, F, X),
    'delete': (X, X, X, D, F, X),
}
STOP_TABLE = {  # it is never queued
    'begin': (R, R, D, F, X),
    'finish': (S, D, D, F, X),
    'fail for good': (F, F, D, F, X),
    'wake-up or lease over': (S, R, D, F, X),
    'host down': (S, R, D, F, X),
    'host forced down': (F, F, D, F, X),
    'deadline': (F, F, D, F, X),
    'delete': (X, X, D, F, X),
}


class Play:
    """One server with one operation of interest, and what may happen to it."""

    def __init__(self, bench: Bench, host: Host) -> None:
        self.bench, self.host = bench, host
        self.server_id = self.operation_id = ''

    @property
    def state(self) -> str:
        """The state of the operation of interest."""
        return str(self.bench.operation_of(self.operation_id).state)

    def build(self, state: str) -> None:
        """Given: a build in that state."""
        self.server_id = self.bench.create()
        self.operation_id = self.bench.operation(self.server_id).id
        if state == X:
            self.bench.ask(states.DELETE, self.server_id)
        elif state != Q:
            self.bench.claim(self.server_id, self.host)
            self._bring_to(state)

    def stop(self, state: str) -> None:
        """Given: a stop in that state."""
        self.server_id = self.bench.active(self.host)
        self.operation_id = self.bench.ask(states.STOP, self.server_id).operation_ids[0]
        if state == X:
            self.bench.ask(states.DELETE, self.server_id)
        else:
            self._bring_to(state)

    def _bring_to(self, state: str) -> None:
        if state != S:
            self.bench.begin(self.server_id, self.host)
        if state in (D, F):
            self.bench.finish(self.server_id, self.host, succeeded=state == D)
        assert self.state == state

    def happen(self, event: str) -> None:
        """When: the event."""
        getattr(self, '_' + event.replace(',', '').replace('-', '').replace(' ', '_'))()

    def _claim(self) -> None:
        row = self.bench.operation_of(self.operation_id)
        selection = self.bench.selection(self.server_id, self.host, attempt=row.attempt)
        self.bench.conductor.claimer.claim([selection.evolve(operation_id=self.operation_id)])

    def _begin(self) -> None:
        self.bench.begin(self.server_id, self.host, **self._named())

    def _finish(self) -> None:
        self.bench.finish(self.server_id, self.host, **self._named())

    def _fail_for_good(self) -> None:
        self.bench.finish(self.server_id, self.host, succeeded=False, clean=True, **self._named())

    def _fail_worth_a_retry(self) -> None:
        self.bench.finish(self.server_id, self.host, succeeded=False, clean=True, retryable=True, **self._named())

    def _named(self) -> dict[str, Any]:
        return {'operation_id': self.operation_id, 'attempt': self.bench.operation_of(self.operation_id).attempt}

    def _wakeup_or_lease_over(self) -> None:
        if self.state in states.ACTIVE_OPERATION:
            self.bench.due(self.server_id)
        self.bench.look()

    def _host_down(self) -> None:
        self.bench.fall_silent(self.host)
        self._wakeup_or_lease_over()

    def _host_forced_down(self) -> None:
        self.bench.call('host_force_down', host=self.host.name, forced_down=True)

    def _deadline(self) -> None:
        if self.state in states.ACTIVE_OPERATION:
            self.bench.expire(self.server_id)
        self.bench.look()

    def _delete(self) -> None:
        if not self.bench.server(self.server_id).deleted:
            self.bench.ask(states.DELETE, self.server_id)


@pytest.fixture
def play(bench: Bench, host: Host) -> Play:
    """A server on a bench."""
    return Play(bench, host)


def _check(play: Play, given: Callable[[str], None], state: str, event: str, expected: str) -> None:
    given(state)
    before = play.bench.operation_of(play.operation_id)

    play.happen(event)

    assert play.state == expected
    if before.state in states.ENDED_OPERATION:
        assert play.bench.operation_of(play.operation_id) == before
    elif expected in states.ENDED_OPERATION:
        assert play.bench.operation_of(play.operation_id).next_run_at is None
    else:
        assert play.bench.operation_of(play.operation_id).next_run_at is not None


@pytest.mark.parametrize('event', BUILD_TABLE)
@pytest.mark.parametrize('state', STATES)
def test_a_build_moves_as_the_table_says(play: Play, state: str, event: str) -> None:
    _check(play, play.build, state, event, BUILD_TABLE[event][STATES.index(state)])


@pytest.mark.parametrize('event', STOP_TABLE)
@pytest.mark.parametrize('state', STATES[1:])
def test_a_stop_moves_as_the_table_says(play: Play, state: str, event: str) -> None:
    _check(play, play.stop, state, event, STOP_TABLE[event][STATES.index(state) - 1])


@pytest.mark.parametrize('state', states.ENDED_OPERATION)
def test_whatever_happens_after_the_end_of_a_build_changes_nothing_of_its_server(play: Play, state: str) -> None:
    play.build(state)
    before = play.bench.server(play.server_id)

    for event in ('claim', 'begin', 'finish', 'fail for good', 'fail, worth a retry', 'wake-up or lease over'):
        play.happen(event)

    after = play.bench.server(play.server_id)
    assert after._mapping == before._mapping


def test_a_stop_of_what_was_deleted_meanwhile_is_refused(play: Play) -> None:
    play.stop(R)
    play.happen('delete')

    verdict = play.bench.begin(
        play.server_id, play.host, operation_id=play.operation_id, attempt=play.bench.operation(play.server_id).attempt
    )

    assert not verdict.accepted
    assert 'superseded' in verdict.reason


def test_only_one_operation_is_active_at_a_time(play: Play) -> None:
    play.stop(S)

    with pytest.raises(exceptions.ServerBusy):
        play.bench.ask(states.START, play.server_id)
