"""What the metrics database needs beside rows: minutes computed, partitions ahead, old rows dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from agents.store.rows import EVENT_TABLES
from streams.db.files import queries
from streams.db.pool import Connection
from streams.settings import Settings

# A minute is computed once its last samples had this long to arrive; later ones compute it again.
MINUTE_GRACE: Final = timedelta(seconds=10)
# At 10,000 GPUs and one sample each 10 s a minute is 60,000 rows: a call stays within seconds.
MINUTES_A_CALL: Final = 15
# Deleting a day of a large fleet's events takes longer than a batch of rows may.
TIMEOUT_SECONDS: Final = 600.0
DAYS_AHEAD: Final = 2


@dataclass(slots=True)
class MaintenanceReport:
    """What one call did."""

    minutes: int = 0
    partitions_dropped: list[str] = field(default_factory=list)
    rows_deleted: dict[str, int] = field(default_factory=dict)


async def is_plain(connection: Connection) -> bool:
    """Tell whether the database was migrated as plain PostgreSQL."""
    return bool(await queries("writes").is_plain(connection))


async def refresh_minutes(connection: Connection, now: datetime) -> int:
    """Compute the 1-minute rows of every touched minute that is over; return how many minutes.

    Idempotent; two callers at once do the work once. A minute whose raw rows are gone keeps what it had.
    """
    sql = queries("maintenance")
    total = 0
    while minutes := await sql.refresh_minutes(connection, up_to=now - MINUTE_GRACE, minutes_limit=MINUTES_A_CALL):
        total += int(minutes)
    return total


async def ensure_days_ahead(connection: Connection, settings: Settings, now: datetime) -> int:
    """Create the partitions of today and the next days; return how many were made."""
    if not await is_plain(connection):
        return 0
    days = [now + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    made = await queries("maintenance").ensure_days(connection, days=days, oldest=raw_horizon(settings, now))
    return int(made)


def raw_horizon(settings: Settings, now: datetime) -> datetime:
    """Return the time before which raw rows are past their retention on plain PostgreSQL."""
    return now - timedelta(days=settings.plain_raw_retention_days)


async def drop_old(connection: Connection, settings: Settings, now: datetime) -> MaintenanceReport:
    """Drop what is past its retention: partitions by day or month, event rows by their time."""
    sql = queries("maintenance")
    report = MaintenanceReport()
    if await is_plain(connection):
        minute_horizon = now - timedelta(days=settings.minute_retention_days)
        raw_days = settings.plain_raw_retention_days
        report.partitions_dropped += await sql.drop_raw(connection, oldest=raw_horizon(settings, now))
        report.partitions_dropped += await sql.drop_minutes(connection, oldest=minute_horizon)
    else:
        raw_days = settings.raw_retention_days
    status = await sql.drop_raw_events(connection, oldest=now - timedelta(days=raw_days))
    report.rows_deleted["gpu_raw_events"] = _count(status)
    event_horizon = now - timedelta(days=settings.event_retention_days)
    for table in EVENT_TABLES:
        text = sql.drop_events.sql.format(table=table.name, time=table.time)
        report.rows_deleted[table.name] = _count(await connection.execute(text, event_horizon))
    return report


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


async def maintain(connection: Connection, settings: Settings) -> MaintenanceReport | None:
    """Do all of it now; None where another worker is at it."""
    sql = queries("maintenance")
    if not await sql.try_lock(connection):
        return None
    try:
        now = datetime.now(UTC)
        await ensure_days_ahead(connection, settings, now)
        report = await drop_old(connection, settings, now)
        report.minutes = await refresh_minutes(connection, now)
        return report
    finally:
        await sql.unlock(connection)


async def apply_policies(connection: Connection, settings: Settings) -> None:
    """Set TimescaleDB's retention to the settings, and the compression of raw rows and minutes.

    A chunk is compressed at most an hour after it is due, so a raw row waits 25 hours, a minute 49.
    """
    text = queries("maintenance").set_policies.sql
    await connection.execute(
        text.format(raw_days=settings.raw_retention_days, minute_days=settings.minute_retention_days)
    )
