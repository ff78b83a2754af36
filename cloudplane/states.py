"""The state machine, whole: what a server and an operation may be, and every move between those.

No other code decides what is legal. The conductor reads MOVES when it accepts and when it ends an operation, the API
reads `status`, and the agent is told a wanted state made by `wanted`.
"""

from typing import Final, Literal

import msgspec

# vm_state of a server: where it rests. Spelling is Nova's, hyphens included.
BUILDING: Final = 'building'
ACTIVE: Final = 'active'
STOPPED: Final = 'stopped'
PAUSED: Final = 'paused'
SUSPENDED: Final = 'suspended'
RESCUED: Final = 'rescued'
RESIZED: Final = 'resized'
ERROR: Final = 'error'
SHELVED: Final = 'shelved'
SHELVED_OFFLOADED: Final = 'shelved_offloaded'
SOFT_DELETED: Final = 'soft-delete'
DELETED: Final = 'deleted'

# power_state of a guest: what the hypervisor says.
NOSTATE: Final = 0
RUNNING: Final = 1
POWER_PAUSED: Final = 3
SHUTDOWN: Final = 4
CRASHED: Final = 6
POWER_SUSPENDED: Final = 7

# What a host should make of a server. Every refusal carries one, and the agent converges to it.
WANT_ABSENT: Final = 'absent'
WANT_OFF: Final = 'off'
WANT_ON: Final = 'on'
WANT_LEAVE: Final = 'leave'

# Kinds of operation.
BUILD: Final = 'build'
DELETE: Final = 'delete'
START: Final = 'start'
STOP: Final = 'stop'
SOFT_REBOOT: Final = 'soft_reboot'
HARD_REBOOT: Final = 'hard_reboot'
SNAPSHOT: Final = 'snapshot'

# States of an operation.
QUEUED: Final = 'queued'
SCHEDULED: Final = 'scheduled'
STARTED: Final = 'running'
DONE: Final = 'done'
FAILED: Final = 'failed'
SUPERSEDED: Final = 'superseded'
ACTIVE_OPERATION: Final = (QUEUED, SCHEDULED, STARTED)
ENDED_OPERATION: Final = (DONE, FAILED, SUPERSEDED)

# Events that move an operation (protocol, section 2).
EVENT_ACCEPT: Final = 'accept'
EVENT_ACCEPT_ON_HOST: Final = 'accept_on_host'
EVENT_CLAIM: Final = 'claim'
EVENT_BEGIN: Final = 'begin'
EVENT_RELEASE: Final = 'release'
EVENT_LEASE_OVER: Final = 'lease_over'
EVENT_MOVE: Final = 'move'
EVENT_DONE: Final = 'finish_done'
EVENT_FAILED: Final = 'finish_failed'
EVENT_GIVE_UP: Final = 'give_up'
EVENT_SUPERSEDE: Final = 'supersede'
EVENT_FORCED_DOWN_DELETE: Final = 'forced_down_delete'
EVENT_FORCED_DOWN: Final = 'forced_down'

# (state, event) -> state. What is not here is illegal.
OPERATION_MOVES: Final[dict[tuple[str | None, str], str]] = {
    (None, EVENT_ACCEPT): QUEUED,  # a build: the host is not known yet
    (None, EVENT_ACCEPT_ON_HOST): SCHEDULED,  # everything else happens where the server is
    (QUEUED, EVENT_CLAIM): SCHEDULED,
    (SCHEDULED, EVENT_BEGIN): STARTED,
    (SCHEDULED, EVENT_RELEASE): QUEUED,  # a build whose host went down or refused: nothing has happened there
    (STARTED, EVENT_LEASE_OVER): STARTED,  # attempt + 1, same host: it may have run, so it may not move
    (STARTED, EVENT_MOVE): QUEUED,  # a build is not committed, so its guest has executed nothing
    (STARTED, EVENT_DONE): DONE,
    (STARTED, EVENT_FAILED): FAILED,
    (SCHEDULED, EVENT_DONE): DONE,  # a delete does not begin
    (SCHEDULED, EVENT_FAILED): FAILED,
    (QUEUED, EVENT_GIVE_UP): FAILED,  # deadline over, tries used up, or no valid host
    (SCHEDULED, EVENT_GIVE_UP): FAILED,
    (STARTED, EVENT_GIVE_UP): FAILED,
    (QUEUED, EVENT_SUPERSEDE): SUPERSEDED,
    (SCHEDULED, EVENT_SUPERSEDE): SUPERSEDED,
    (STARTED, EVENT_SUPERSEDE): SUPERSEDED,
    (SCHEDULED, EVENT_FORCED_DOWN_DELETE): DONE,
    (STARTED, EVENT_FORCED_DOWN_DELETE): DONE,
    (SCHEDULED, EVENT_FORCED_DOWN): FAILED,
    (STARTED, EVENT_FORCED_DOWN): FAILED,
}

Deadline = Literal['power', 'delete', 'build', 'snapshot']


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of operation moves a server."""

    kind: str
    action: str  # the name in messages and in os-instance-actions
    legal_from: frozenset[str] | None  # vm_states; None: any
    accepted_task: str  # task_state written before the 202
    begun_task: str  # task_state once the agent has begun
    done: str | None  # vm_state afterwards; None: as before
    deadline: Deadline
    # task_states in which it may supersede what runs; None: in any. Empty: it waits for nobody and replaces nobody.
    supersedes: frozenset[str] | None = frozenset()
    needs_launch: bool = True  # the server must have run once


def _states(*names: str) -> frozenset[str]:
    return frozenset(names)


MOVES: Final[dict[str, Move]] = {
    move.kind: move
    for move in (
        Move(
            kind=BUILD,
            action='create',
            legal_from=_states(BUILDING),
            accepted_task='scheduling',
            begun_task='spawning',
            done=ACTIVE,
            deadline='build',
            needs_launch=False,
        ),
        Move(
            kind=DELETE,
            action='delete',
            legal_from=None,
            accepted_task='deleting',
            begun_task='deleting',
            done=DELETED,
            deadline='delete',
            supersedes=None,  # delete always wins
            needs_launch=False,
        ),
        Move(
            kind=START,
            action='start',
            legal_from=_states(STOPPED),
            accepted_task='powering-on',
            begun_task='powering-on',
            done=ACTIVE,
            deadline='power',
        ),
        Move(
            kind=STOP,
            action='stop',
            legal_from=_states(ACTIVE, ERROR),
            accepted_task='powering-off',
            begun_task='powering-off',
            done=STOPPED,
            deadline='power',
        ),
        Move(
            kind=SOFT_REBOOT,
            action='reboot',
            legal_from=_states(ACTIVE),
            accepted_task='rebooting',
            begun_task='reboot_started',
            done=ACTIVE,
            deadline='power',
        ),
        Move(
            kind=HARD_REBOOT,
            action='reboot',
            legal_from=_states(ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR),
            accepted_task='rebooting_hard',
            begun_task='reboot_started_hard',
            done=ACTIVE,
            deadline='power',
            supersedes=_states(  # a guest that hangs in these is what a hard reboot is for
                'rebooting',
                'reboot_pending',
                'reboot_started',
                'rebooting_hard',
                'resuming',
                'unpausing',
                'pausing',
                'suspending',
            ),
        ),
        Move(
            kind=SNAPSHOT,
            action='createImage',
            legal_from=_states(ACTIVE, STOPPED, PAUSED, SUSPENDED),
            accepted_task='image_snapshot_pending',
            begun_task='image_snapshot',
            done=None,
            deadline='snapshot',
        ),
    )
}

# Steps that an agent reports while it works, where clients know them as task_states.
STEP_TASKS: Final[dict[tuple[str, str], str]] = {
    (BUILD, 'network'): 'networking',
    (BUILD, 'disk'): 'block_device_mapping',
    (BUILD, 'start'): 'spawning',
    (SNAPSHOT, 'copy'): 'image_pending_upload',
    (SNAPSHOT, 'publish'): 'image_uploading',
}

_STATUS: Final[dict[str, str]] = {
    BUILDING: 'BUILD',
    ACTIVE: 'ACTIVE',
    STOPPED: 'SHUTOFF',
    PAUSED: 'PAUSED',
    SUSPENDED: 'SUSPENDED',
    RESCUED: 'RESCUE',
    RESIZED: 'VERIFY_RESIZE',
    ERROR: 'ERROR',
    SHELVED: 'SHELVED',
    SHELVED_OFFLOADED: 'SHELVED_OFFLOADED',
    SOFT_DELETED: 'SOFT_DELETED',
    DELETED: 'DELETED',
}
_REBOOTING = ('rebooting', 'reboot_pending', 'reboot_started')
_REBUILDING = ('rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning')
_RESIZING = ('resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish')
_BUSY_STATUS: Final[dict[tuple[str, str], str]] = {
    **{(ACTIVE, task): 'REBOOT' for task in _REBOOTING},
    **{
        (vm_state, f'{task}_hard'): 'HARD_REBOOT'
        for vm_state in (ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR)
        for task in _REBOOTING
    },
    **{(vm_state, task): 'REBUILD' for vm_state in (ACTIVE, STOPPED, ERROR) for task in _REBUILDING},
    **{(vm_state, task): 'RESIZE' for vm_state in (ACTIVE, STOPPED) for task in _RESIZING},
    (ACTIVE, 'updating_password'): 'PASSWORD',
    (ACTIVE, 'migrating'): 'MIGRATING',
    (PAUSED, 'migrating'): 'MIGRATING',
    (RESIZED, 'resize_reverting'): 'REVERT_RESIZE',
}

_WANTED: Final[dict[str, str]] = {
    ACTIVE: WANT_ON,
    RESCUED: WANT_ON,
    STOPPED: WANT_OFF,
    SHELVED: WANT_OFF,
    SOFT_DELETED: WANT_OFF,
    SHELVED_OFFLOADED: WANT_ABSENT,
}


def status(vm_state: str, task_state: str | None) -> str:
    """The status that clients see."""
    if task_state is not None and (vm_state, task_state) in _BUSY_STATUS:
        return _BUSY_STATUS[vm_state, task_state]
    return _STATUS[vm_state]


def vm_states_of_status(wanted_status: str) -> frozenset[tuple[str, str | None]]:
    """The (vm_state, task_state) pairs shown as a status; task None stands for 'any other task'. Empty: unknown."""
    plain: set[tuple[str, str | None]] = {(vm, None) for vm, shown in _STATUS.items() if shown == wanted_status}
    return frozenset(plain | {pair for pair, shown in _BUSY_STATUS.items() if shown == wanted_status})


def busy_tasks(vm_state: str) -> frozenset[str]:
    """The task_states that change the status of a vm_state."""
    return frozenset(task for vm, task in _BUSY_STATUS if vm == vm_state)


def next_state(state: str | None, event: str) -> str:
    """The state that an operation moves to; KeyError for a move that is not in the table."""
    return OPERATION_MOVES[state, event]


def at_rest(vm_state: str, power_state: int) -> str:
    """Where a server rests whose guest is found to do this: one that has gone off by itself is stopped."""
    gone_off = vm_state in (ACTIVE, PAUSED) and power_state in (SHUTDOWN, CRASHED)
    return STOPPED if gone_off else vm_state


def wanted(vm_state: str, *, operation_active: bool, launched: bool) -> str:
    """What the host of a server should make of its guest while nobody has told it more."""
    if vm_state == DELETED:
        return WANT_ABSENT
    if operation_active:
        return WANT_LEAVE  # whoever holds the operation knows better
    if vm_state == ERROR and not launched:
        return WANT_ABSENT  # a build that failed: its guest has never run
    return _WANTED.get(vm_state, WANT_LEAVE)
