"""The state machine is total, closed, and what the protocol's table says."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudplane import states

OPERATION_STATES = (None, *states.ACTIVE_OPERATION, *states.ENDED_OPERATION)
EVENTS = sorted({event for _, event in states.OPERATION_MOVES})
VM_STATES = sorted(
    {
        states.BUILDING, states.ACTIVE, states.STOPPED, states.PAUSED, states.SUSPENDED, states.RESCUED,
        states.RESIZED, states.ERROR, states.SHELVED, states.SHELVED_OFFLOADED, states.SOFT_DELETED, states.DELETED,
    }
)  # fmt: skip
KINDS = {
    states.BUILD, states.DELETE, states.START, states.STOP, states.SOFT_REBOOT, states.HARD_REBOOT, states.SNAPSHOT,
}  # fmt: skip

# The protocol's section 2, row by row.
TABLE = {
    (None, 'accept'): 'queued',
    (None, 'accept_on_host'): 'scheduled',
    ('queued', 'claim'): 'scheduled',
    ('scheduled', 'begin'): 'running',
    ('scheduled', 'release'): 'queued',
    ('running', 'lease_over'): 'running',
    ('running', 'move'): 'queued',
    ('running', 'finish_done'): 'done',
    ('running', 'finish_failed'): 'failed',
    ('scheduled', 'finish_done'): 'done',
    ('scheduled', 'finish_failed'): 'failed',
    ('queued', 'give_up'): 'failed',
    ('scheduled', 'give_up'): 'failed',
    ('running', 'give_up'): 'failed',
    ('queued', 'supersede'): 'superseded',
    ('scheduled', 'supersede'): 'superseded',
    ('running', 'supersede'): 'superseded',
    ('scheduled', 'forced_down_delete'): 'done',
    ('running', 'forced_down_delete'): 'done',
    ('scheduled', 'forced_down'): 'failed',
    ('running', 'forced_down'): 'failed',
}


@pytest.mark.parametrize(('state', 'event'), itertools.product(OPERATION_STATES, EVENTS))
def test_an_event_moves_an_operation_as_the_protocol_says_or_not_at_all(state: str | None, event: str) -> None:
    if (state, event) in TABLE:
        assert states.next_state(state, event) == TABLE[state, event]
    else:
        with pytest.raises(KeyError):
            states.next_state(state, event)


def test_the_table_has_no_other_moves() -> None:
    assert dict(states.OPERATION_MOVES) == TABLE


def test_what_has_ended_moves_no_more() -> None:
    assert {state for state, _ in states.OPERATION_MOVES}.isdisjoint(states.ENDED_OPERATION)


@pytest.mark.parametrize('state', states.ACTIVE_OPERATION)
def test_every_active_state_can_be_given_up_and_replaced(state: str) -> None:
    assert states.next_state(state, states.EVENT_GIVE_UP) == states.FAILED
    assert states.next_state(state, states.EVENT_SUPERSEDE) == states.SUPERSEDED


def test_every_kind_has_a_move() -> None:
    assert set(states.MOVES) == KINDS
    assert all(kind == move.kind for kind, move in states.MOVES.items())


@pytest.mark.parametrize('move', states.MOVES.values(), ids=lambda move: str(move.kind))
def test_a_move_names_only_vm_states_that_exist(move: states.Move) -> None:
    assert (move.legal_from or set()) <= set(VM_STATES)
    assert move.done is None or move.done in VM_STATES


def test_delete_is_legal_anywhere_and_replaces_anything() -> None:
    assert states.MOVES[states.DELETE].legal_from is None
    assert states.MOVES[states.DELETE].supersedes is None
    assert not states.MOVES[states.DELETE].needs_launch


@pytest.mark.parametrize(
    ('kind', 'legal'),
    [
        (states.START, {states.STOPPED}),
        (states.STOP, {states.ACTIVE, states.ERROR}),
        (states.SOFT_REBOOT, {states.ACTIVE}),
        (states.HARD_REBOOT, {states.ACTIVE, states.STOPPED, states.PAUSED, states.SUSPENDED, states.ERROR}),
        (states.SNAPSHOT, {states.ACTIVE, states.STOPPED, states.PAUSED, states.SUSPENDED}),
    ],
)
def test_an_action_is_legal_where_clients_expect_it(kind: str, legal: set[str]) -> None:
    assert (states.MOVES[kind].legal_from or frozenset()) == frozenset(legal)


@pytest.mark.parametrize('vm_state', VM_STATES)
@given(task_state=st.none() | st.text(max_size=20))
def test_every_server_has_a_status(vm_state: str, task_state: str | None) -> None:
    assert states.status(vm_state, task_state)


@pytest.mark.parametrize(
    ('vm_state', 'task_state', 'shown'),
    [
        (states.BUILDING, 'spawning', 'BUILD'),
        (states.ACTIVE, None, 'ACTIVE'),
        (states.ACTIVE, 'powering-off', 'ACTIVE'),
        (states.STOPPED, None, 'SHUTOFF'),
        (states.STOPPED, 'powering-on', 'SHUTOFF'),
        (states.ACTIVE, 'rebooting', 'REBOOT'),
        (states.ACTIVE, 'reboot_started', 'REBOOT'),
        (states.ACTIVE, 'rebooting_hard', 'HARD_REBOOT'),
        (states.STOPPED, 'reboot_started_hard', 'HARD_REBOOT'),
        (states.ACTIVE, 'image_snapshot', 'ACTIVE'),
        (states.ACTIVE, 'deleting', 'ACTIVE'),
        (states.ERROR, None, 'ERROR'),
        (states.DELETED, None, 'DELETED'),
    ],
)
def test_a_server_is_shown_as_clients_expect(vm_state: str, task_state: str | None, shown: str) -> None:
    assert states.status(vm_state, task_state) == shown


@pytest.mark.parametrize('vm_state', VM_STATES)
@given(task_state=st.none() | st.sampled_from(sorted(states.busy_tasks(states.ACTIVE) | {'spawning', 'deleting'})))
def test_a_search_by_status_finds_what_shows_that_status(vm_state: str, task_state: str | None) -> None:
    shown = states.status(vm_state, task_state)

    pairs = states.vm_states_of_status(shown)

    plain = (vm_state, None) in pairs and task_state not in states.busy_tasks(vm_state)
    assert plain or (vm_state, task_state) in pairs


def test_an_unknown_status_is_no_state() -> None:
    assert states.vm_states_of_status('SLEEPING') == frozenset()


@pytest.mark.parametrize(
    ('vm_state', 'active', 'launched', 'wanted'),
    [
        (states.ACTIVE, False, True, states.WANT_ON),
        (states.STOPPED, False, True, states.WANT_OFF),
        (states.PAUSED, False, True, states.WANT_LEAVE),
        (states.SUSPENDED, False, True, states.WANT_LEAVE),
        (states.ERROR, False, True, states.WANT_LEAVE),
        (states.ERROR, False, False, states.WANT_ABSENT),
        (states.SHELVED_OFFLOADED, False, True, states.WANT_ABSENT),
        (states.DELETED, False, True, states.WANT_ABSENT),
        (states.DELETED, True, True, states.WANT_ABSENT),
        (states.ACTIVE, True, True, states.WANT_LEAVE),
        (states.BUILDING, True, False, states.WANT_LEAVE),
    ],
)
def test_a_host_is_told_what_to_make_of_a_guest(vm_state: str, active: bool, launched: bool, wanted: str) -> None:
    assert states.wanted(vm_state, operation_active=active, launched=launched) == wanted


@pytest.mark.parametrize('vm_state', VM_STATES)
@pytest.mark.parametrize('launched', [True, False])
def test_a_server_that_is_worked_on_is_left_alone_unless_it_is_gone(vm_state: str, launched: bool) -> None:
    wanted = states.wanted(vm_state, operation_active=True, launched=launched)

    assert wanted == (states.WANT_ABSENT if vm_state == states.DELETED else states.WANT_LEAVE)
