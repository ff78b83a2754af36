"""Keypairs in the database."""

from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from cloudplane import exceptions
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import to_text, utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.objects.keypair import Keypair

_TABLE = models.table(models.Keypair)


def _from_row(row: Row[Any]) -> Keypair:
    return Keypair(
        user_id=row.user_id,
        name=row.name,
        type=row.type,
        public_key=row.public_key,
        fingerprint=row.fingerprint,
        created_at=to_text(row.created_at) or '',
    )


def _missing(name: str) -> exceptions.KeypairNotFound:
    return exceptions.KeypairNotFound(f'Keypair {name} could not be found.')


def get(conn: Connection, user_id: str, name: str) -> Keypair:
    """One keypair of a user."""
    row = conn.execute(select(_TABLE).where(_TABLE.c.user_id == user_id, _TABLE.c.name == name)).one_or_none()
    if row is None:
        raise _missing(name)
    return _from_row(row)


def list_of(conn: Connection, user_id: str) -> tuple[Keypair, ...]:
    """A user's keypairs by name."""
    rows = conn.execute(select(_TABLE).where(_TABLE.c.user_id == user_id).order_by(_TABLE.c.name))
    return tuple(_from_row(row) for row in rows)


def create(conn: Connection, keypair: Keypair, limit: int) -> Keypair:
    """Keep a key, if its name is free and the user has fewer than `limit` (-1: any number)."""
    row = {
        'user_id': keypair.user_id,
        'name': keypair.name,
        'type': keypair.type,
        'public_key': keypair.public_key,
        'fingerprint': keypair.fingerprint,
        'created_at': utc_now(),
    }
    if insert_new(conn, models.Keypair, [row]) == 0:
        raise exceptions.KeypairExists(f"Key pair '{keypair.name}' already exists.")
    # Counted after the insert: whoever inserts last sees all. Few rows, so no counter is kept.
    held = conn.execute(
        select(func.count()).select_from(_TABLE).where(_TABLE.c.user_id == keypair.user_id)
    ).scalar_one()
    if 0 <= limit < held:
        raise exceptions.QuotaExceeded(f'Quota exceeded, too many key pairs: the limit is {limit}.')
    return get(conn, keypair.user_id, keypair.name)


def remove(conn: Connection, user_id: str, name: str) -> None:
    """Remove a keypair; servers keep the key that they were made with."""
    done = conn.execute(delete(_TABLE).where(_TABLE.c.user_id == user_id, _TABLE.c.name == name))
    if done.rowcount == 0:
        raise _missing(name)
