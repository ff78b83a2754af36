"""Whether the state table allows an operation now, and what the client hears if it does not."""

from cloudplane import exceptions, states
from cloudplane.conductor.db.accepts import Target


def move_of(kind: str) -> states.Move:
    """What the state table says about a kind. Raises BadRequest for one that a client cannot ask for here."""
    if kind not in states.MOVES or kind == states.BUILD:
        raise exceptions.BadRequest(f'This conductor cannot accept {kind!r} for a server; is it older than the API?')
    return states.MOVES[kind]


def check(move: states.Move, server: Target) -> None:
    """Raise what the client should hear if the state table does not allow this now."""
    what = f"Cannot '{move.action}' instance {server.id} while it is in"
    if server.operation_id is not None:
        replaces = move.supersedes is None or (server.task_state or '') in move.supersedes
        if not replaces:
            running = states.MOVES[server.kind].action if server.kind else 'an operation'
            raise exceptions.ServerBusy(
                f'{what} task_state {server.task_state}: {running} is running (operation {server.operation_id})'
            )
    if move.legal_from is not None and server.vm_state not in move.legal_from:
        raise exceptions.InvalidState(f'{what} vm_state {server.vm_state}')
    if move.needs_launch and server.launched_at is None:
        raise exceptions.InvalidState(f"Cannot '{move.action}' instance {server.id}: it has never been launched")
