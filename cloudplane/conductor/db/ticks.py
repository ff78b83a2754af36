"""When conductors looked at the database, and until when nothing expires because nobody had looked."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_new

_TICK = models.table(models.Tick)
JITTER_S = 1.0  # differences that mean nothing


def tick(conn: Connection, period_s: float, grace_s: float) -> tuple[float, bool]:
    """Stamp a look at the database. The seconds since the last one, and whether nothing may expire now.

    A gap over three periods, or a clock that went back, starts a grace: nobody had looked, so silence means nothing.
    """
    row = conn.execute(select(_TICK, utc_now().label('now')).where(_TICK.c.id == 1)).one_or_none()
    if row is None:
        first = {'id': 1, 'last_tick_at': utc_now(), 'grace_until': utc_now(grace_s), 'gap_s': 0.0}
        insert_new(conn, models.Tick, [first])
        return 0.0, grace_s > 0
    gap_s = (row.now - row.last_tick_at).total_seconds()
    us = gap_s > 3 * period_s + JITTER_S or gap_s < -JITTER_S
    values: dict[str, Any] = {'last_tick_at': utc_now(), 'gap_s': gap_s}
    if us:
        values['grace_until'] = utc_now(grace_s)
    conn.execute(update(_TICK).where(_TICK.c.id == 1).values(values))
    return gap_s, us or row.now < row.grace_until


def last_grace(conn: Connection, grace_s: float) -> datetime | None:
    """When the last grace began; None: nobody has ever looked."""
    until = conn.execute(select(_TICK.c.grace_until).where(_TICK.c.id == 1)).scalar_one_or_none()
    return None if until is None else until - timedelta(seconds=grace_s)


def start_grace(conn: Connection, grace_s: float) -> None:
    """Nothing expires for `grace_s`: too many hosts fell silent at once for it to be them."""
    conn.execute(update(_TICK).where(_TICK.c.id == 1).values(grace_until=utc_now(grace_s)))
