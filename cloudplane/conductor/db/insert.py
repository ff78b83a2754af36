"""Inserts that may meet a row which is there already: never insert-and-catch, which aborts a PostgreSQL transaction."""

from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

ROWS_PER_STATEMENT = 500  # SQLite takes 32,766 parameters


def insert_rows(conn: Connection, target: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows whose values may be SQL (the database's clock), which executemany cannot take."""
    if len(rows) == 1:
        conn.execute(insert(target).values(rows[0]))  # the common case: its compiled form is cached
        return
    for first in range(0, len(rows), ROWS_PER_STATEMENT):
        conn.execute(insert(target).values(rows[first : first + ROWS_PER_STATEMENT]))


def insert_new(conn: Connection, table: type[Any], rows: list[dict[str, Any]]) -> int:
    """Insert the rows whose keys are not taken; how many were."""
    target: Table = table.__table__
    inserted = 0
    for first in range(0, len(rows), ROWS_PER_STATEMENT):
        statement = _insert_new(conn, target, rows[first : first + ROWS_PER_STATEMENT])
        # psycopg has the count, but SQLAlchemy keeps that of an INSERT only when it is told to.
        inserted += conn.execute(statement, execution_options={'preserve_rowcount': True}).rowcount
    return inserted


def _insert_new(conn: Connection, target: Table, rows: list[dict[str, Any]]) -> Any:
    values = rows[0] if len(rows) == 1 else rows
    match conn.dialect.name:
        case 'sqlite':
            return sqlite_insert(target).values(values).on_conflict_do_nothing()
        case 'postgresql':
            return postgresql_insert(target).values(values).on_conflict_do_nothing()
        case _:
            return insert(target).values(values).prefix_with('IGNORE')
