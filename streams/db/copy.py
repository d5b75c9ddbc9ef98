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
# Of these, a missing value is about the table: rows have what their record needs, so a column came that this
# version does not fill, and every row would be refused.
_TABLE_STATES: Final = ("23502",)
# Cancelled by a time limit, out of memory, over a configured limit: fewer rows may pass.
_SIZE_STATES: Final = ("57014", "53200", "53400")


class RowRefused(Exception):
    """The database is well, but a row of the batch cannot be stored."""


class DatabaseUnavailable(Exception):
    """The database cannot store anything now, whatever the rows: wait and try again."""


class BatchTooLarge(DatabaseUnavailable):
    """The database did not store these rows at once: try again with fewer."""


class RowsMissing(DatabaseUnavailable):
    """The database took the rows without an error, and some are not there. Nothing of the batch was kept."""


async def store_rows(connection: Connection, table: str, rows: Sequence[Sequence[Any]]) -> int:
    """Store all ``rows`` in one transaction; return how many are new: those that are there change nothing.

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
            await _copy(connection, f"staging_{table}", columns, rows)
            if table == METRICS_TABLE:
                await connection.execute(sql.mark_minutes.sql)
            status = await connection.execute(sql.move_staging.sql.format(table=table, columns=quoted))
            stored = int(status.rpartition(" ")[2])
            if stored < len(rows):
                await _find_the_others(connection, table, stored, len(rows))
            return stored
    except DATABASE_ERRORS as error:
        raise sort_error(error) from error


async def _copy(connection: Connection, staging: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    try:
        await connection.copy_records_to_table(staging, records=rows, columns=columns)
    except (ValueError, OverflowError) as error:
        raise RowRefused(f"{type(error).__name__}: {error}") from error  # the driver could not encode a value


async def _find_the_others(connection: Connection, table: str, stored: int, given: int) -> None:
    """Make sure that the rows which were not stored are there: a row is left out only as a duplicate."""
    sql = queries("writes")
    await connection.execute(sql.probe_by_key.sql)
    if table == METRICS_TABLE:
        first, last = await connection.fetchrow(sql.staged_times.sql) or (None, None)
        missing = await sql.missing_samples(connection, first=first, last=last)
    else:
        missing = await connection.fetchval(sql.missing_rows.sql.format(table=table, key=_KEYS[table]))
    if missing:
        raise RowsMissing(
            f"{table}: of {given} rows {stored} were stored and {missing} are neither stored nor duplicates; "
            "nothing of them was kept: gpu-health doctor"
        )


_KEYS: Final[Mapping[str, str]] = {
    RAW_EVENTS_TABLE: "event_id",
    **{table.name: table.key for table in EVENT_TABLES},
}

# What a server or the way to it does. Errors of the program (TypeError, a wrong argument) are not among them.
DATABASE_ERRORS: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def sort_error(error: Exception) -> RowRefused | DatabaseUnavailable:
    """Tell a row's fault from the database's; a fault of the program is raised as it is."""
    if isinstance(error, ValueError | TypeError):  # the client's DataError: a query's argument of the wrong kind
        raise error
    text = f"{type(error).__name__}: {error}"
    state = str(getattr(error, "sqlstate", None) or "")
    if isinstance(error, TimeoutError) or state in _SIZE_STATES:
        return BatchTooLarge(text)
    if state.startswith(_ROW_CLASSES) and state not in _TABLE_STATES:
        return RowRefused(text)
    return DatabaseUnavailable(text)


def days_of(rows: Iterable[Sequence[Any]]) -> set[Any]:
    """Return the UTC dates of rows of gpu_health_metrics, whose first value is their time."""
    return {row[0].date() for row in rows}
