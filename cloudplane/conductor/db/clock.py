"""The database's UTC statement time: the one clock by which expiry is written and compared."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# What SQLAlchemy writes for a DateTime on SQLite: texts must compare as times do.
_SQLITE_FORMAT = "'%Y-%m-%d %H:%M:%f'"


class UtcNow(FunctionElement[datetime]):
    """The time of the statement, shifted by some seconds."""

    type = DateTime()
    inherit_cache = True
    name = 'utc_now'

    def __init__(self, shift_s: float = 0.0) -> None:
        super().__init__(*([literal(float(shift_s), Float)] if shift_s else []))


@compiles(UtcNow, 'sqlite')
def _sqlite(element: UtcNow, compiler: Any, **options: Any) -> str:
    shift = f", ({compiler.process(element.clauses, **options)}) || ' seconds'" if len(element.clauses) else ''
    return f"(strftime({_SQLITE_FORMAT}, 'now'{shift}) || '000')"


@compiles(UtcNow, 'mysql')
@compiles(UtcNow, 'mariadb')
def _mysql(element: UtcNow, compiler: Any, **options: Any) -> str:
    if not len(element.clauses):
        return 'UTC_TIMESTAMP(6)'
    shift = compiler.process(element.clauses, **options)
    return f'TIMESTAMPADD(MICROSECOND, CAST(({shift}) * 1000000 AS SIGNED), UTC_TIMESTAMP(6))'


@compiles(UtcNow, 'postgresql')
def _postgresql(element: UtcNow, compiler: Any, **options: Any) -> str:
    if not len(element.clauses):
        return "timezone('utc', statement_timestamp())"
    shift = compiler.process(element.clauses, **options)
    return f"(timezone('utc', statement_timestamp()) + make_interval(secs => CAST({shift} AS double precision)))"


_NOW = UtcNow()  # made once: it is in almost every statement


def utc_now(shift_s: float = 0.0) -> UtcNow:
    """SQL for now, plus `shift_s` seconds."""
    return UtcNow(shift_s) if shift_s else _NOW


def to_text(moment: datetime | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.ffffff`, as records carry times."""
    return None if moment is None else moment.isoformat(timespec='microseconds')
