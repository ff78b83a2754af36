"""Answers that are kept for clients which ask again with the same Idempotency-Key."""

from sqlalchemy import Connection, delete, select, update

from cloudplane import exceptions
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.conductor.db.session import Raced
from cloudplane.objects.operation import Idempotency

_KEY = models.table(models.IdempotencyKey)


def claim(conn: Connection, project_id: str, request: Idempotency, keep_s: float) -> str | None:
    """The kept answer, or None: this transaction is the first and must `keep` its own.

    The loser of a race waits here for the winner's row, then reads its answer. Raises IdempotencyMismatch.
    """
    same = (_KEY.c.project_id == project_id, _KEY.c.key == request.key)
    conn.execute(delete(_KEY).where(*same, _KEY.c.expires_at < utc_now()))
    row = {
        'project_id': project_id,
        'key': request.key,
        'request_hash': request.request_hash,
        'expires_at': utc_now(keep_s),
    }
    if insert_new(conn, models.IdempotencyKey, [row]) == 1:
        return None
    found = conn.execute(select(_KEY.c.request_hash, _KEY.c.answer).where(*same)).one_or_none()
    if found is None:
        raise Raced  # it has expired between the two statements
    if found.request_hash != request.request_hash:
        raise exceptions.IdempotencyMismatch(
            f'Idempotency-Key {request.key!r} was used for another request; use a new key for a new request.'
        )
    return str(found.answer)


def keep(conn: Connection, project_id: str, request: Idempotency, answer: str) -> None:
    """Keep the answer of the first request."""
    conn.execute(update(_KEY).where(_KEY.c.project_id == project_id, _KEY.c.key == request.key).values(answer=answer))


def expire(conn: Connection) -> int:
    """Forget answers whose time is over; how many."""
    return conn.execute(delete(_KEY).where(_KEY.c.expires_at < utc_now())).rowcount
