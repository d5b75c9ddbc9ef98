"""Rows into a table: COPY into a temporary table, then INSERT ... ON CONFLICT DO NOTHING."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg

from agents.store.raw_rows import METRICS_COLUMNS, METRICS_TABLE, RAW_EVENT_COLUMNS, RAW_EVENTS_TABLE
from agents.store.rows import EVENT_TABLES
from streams.db.files import queries
from streams.db.pool import Connection

TABLE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    METRICS_TABLE: METRICS_COLUMNS,
    RAW_EVENTS_TABLE: RAW_EVENT_COLUMNS,
    **{table.name: tuple(column.name for column in table.columns) for table in EVENT_TABLES},
}

# SQLSTATE classes that are about a row: data exception, integrity, program limit (an index row too long).
_ROW_CLASSES: Final = ("22", "23", "54")


class RowRefused(Exception):
    """The database is well, but a row of the batch cannot be stored."""


class DatabaseUnavailable(Exception):
    """The database cannot store anything now, whatever the rows: wait and try again."""


async def store_rows(connection: Connection, table: str, rows: Sequence[Sequence[Any]]) -> int:
    """Store all ``rows`` in one transaction; return how many are new: a row whose key is there changes nothing.

    Raises
    ------
    RowRefused
        Nothing was stored, because of one of the rows.
    DatabaseUnavailable
        Nothing is known to be stored.
    """
    sql = queries("writes")
    columns = TABLE_COLUMNS[table]
    quoted = ", ".join(f'"{column}"' for column in columns)
    try:
        async with connection.transaction():
            await connection.execute(sql.create_staging.sql.format(table=table))
            await connection.copy_records_to_table(f"staging_{table}", records=rows, columns=columns)
            if table == METRICS_TABLE:
                await connection.execute(sql.mark_minutes.sql)
            moved = await connection.execute(sql.move_staging.sql.format(table=table, columns=quoted))
    except DATABASE_ERRORS as error:
        raise sort_error(error) from error
    return int(moved.rpartition(" ")[2])  # "INSERT 0 <rows>"


DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    ValueError,
    TypeError,
    OverflowError,
)


def sort_error(error: Exception) -> RowRefused | DatabaseUnavailable:
    """Tell a row's fault from the database's."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        return RowRefused(text) if state.startswith(_ROW_CLASSES) else DatabaseUnavailable(text)
    if isinstance(error, ValueError | TypeError | OverflowError):
        return RowRefused(text)  # the driver could not encode a value
    return DatabaseUnavailable(text)


def days_of(rows: Iterable[Sequence[Any]]) -> set[Any]:
    """Return the UTC dates of rows of gpu_health_metrics, whose first value is their time."""
    return {row[0].date() for row in rows}
