"""Numbered, checksummed migrations of both databases, run under an advisory lock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from asyncpg.exceptions import DeadlockDetectedError, LockNotAvailableError
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_exponential

from schemas.errors import ShutdownError
from streams.db.files import SQL_DIR, queries
from streams.db.maintenance import apply_policies
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.settings import Settings

Part = Literal["metrics", "assets"]
Flavour = Literal["plain", "timescale"]
# Between the tries of a migration that found a table locked; with 2 s a try (`limit_lock_wait`) about 50 s in all.
UNTIL_UNLOCKED: Final = AsyncRetrying(
    retry=retry_if_exception_type((LockNotAvailableError, DeadlockDetectedError)),
    stop=stop_after_attempt(8),
    wait=wait_exponential(multiplier=0.5, max=8.0),
)
LEAST_TIMESCALE: Final = (2, 18, 1)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; ``flavour`` is None where it is for every server."""

    file: str
    text: str
    checksum: str
    flavour: Flavour | None


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What was applied to each database and what was there already."""

    flavour: Flavour
    applied: tuple[str, ...]
    present: tuple[str, ...]


class MigrationError(ShutdownError):
    """A migration cannot be applied to this database; the text names the file and the repair."""


def migrations(part: Part, directory: Path | None = None) -> list[Migration]:
    """Return the migrations of ``part`` in order: ``NNN_name.sql``, ``.plain.sql`` or ``.timescale.sql``."""
    found: list[Migration] = []
    for path in sorted((directory or SQL_DIR / part).glob("[0-9][0-9][0-9]_*.sql")):
        text = path.read_text(encoding="utf-8")
        flavour: Flavour | None = None
        if path.name.endswith(".plain.sql"):
            flavour = "plain"
        elif path.name.endswith(".timescale.sql"):
            flavour = "timescale"
        found.append(Migration(path.name, text, sha256(text.encode()).hexdigest(), flavour))
    return found


async def migrate(settings: Settings) -> MigrationReport:
    """Bring both databases up to date; safe to run at the same time from several processes.

    Raises
    ------
    MigrationError
        A migration that was applied has another text now, or a table that one needs stayed locked.
    """
    metrics = await connect(metrics_dsn(settings), command_timeout=None, writable=True)
    try:
        flavour, applied, present = await migrate_part(metrics, "metrics")
        if flavour == "timescale":
            await apply_policies(metrics, settings)
    finally:
        await metrics.close()
    assets = await connect(assets_dsn(settings), command_timeout=None, writable=True)
    try:
        _, assets_applied, assets_present = await migrate_part(assets, "assets")
    finally:
        await assets.close()
    return MigrationReport(flavour, (*applied, *assets_applied), (*present, *assets_present))


async def migrate_part(
    connection: Connection,
    part: Part,
    directory: Path | None = None,
    *,
    retrying: AsyncRetrying = UNTIL_UNLOCKED,
) -> tuple[Flavour, list[str], list[str]]:
    """Apply what is missing of ``part``; return the flavour, the files applied and those present before.

    Parameters
    ----------
    retrying
        How often, and after which pauses, a migration that found a table locked is tried again.

    Raises
    ------
    MigrationError
        As :func:`migrate`.
    """
    sql = queries("migrations")
    await sql.lock(connection)
    try:
        await connection.execute(sql.ensure_table.sql)
        known = {row["file"]: row["checksum"] async for row in sql.applied(connection, part=part)}
        flavour = await _flavour(connection, known) if part == "metrics" else "plain"
        if flavour == "timescale":
            refuse_old_timescale(await sql.timescale_version(connection))
        wanted = [m for m in migrations(part, directory) if m.flavour in (None, flavour)]
        for migration in wanted:
            if known.get(migration.file, migration.checksum) != migration.checksum:
                raise MigrationError(
                    f"{part}/{migration.file} was applied with another text: restore the file, "
                    "or add a new migration for what it changes"
                )
        applied = [m for m in wanted if m.file not in known]
        for migration in applied:
            await _apply(connection, sql, part, migration, retrying)
        prefix = f"{part}/"
        return flavour, [prefix + m.file for m in applied], [prefix + m.file for m in wanted if m.file in known]
    finally:
        await sql.unlock(connection)


def refuse_old_timescale(version: str) -> None:
    """Refuse a TimescaleDB that loses rows: before 2.18.1 one duplicate in a compressed chunk drops its whole batch.

    On 2.17.2, 500 of 500 rows were lost without an error.

    Raises
    ------
    MigrationError
        ``version`` is older, or cannot be read.

    >>> refuse_old_timescale("2.29.2")
    """
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if numbers is None or tuple(int(number or 0) for number in numbers.groups()) < LEAST_TIMESCALE:
        least = ".".join(str(number) for number in LEAST_TIMESCALE)
        raise MigrationError(
            f"TimescaleDB {version} loses rows that come beside a duplicate in a compressed chunk: {least} or later "
            "is needed (docker-compose.yml has 2.29.2); update it, then run ALTER EXTENSION timescaledb UPDATE"
        )


async def _apply(connection: Connection, sql: Any, part: Part, migration: Migration, retrying: AsyncRetrying) -> None:
    async def once() -> None:
        async with connection.transaction():
            await connection.execute(sql.limit_lock_wait.sql)
            await connection.execute(migration.text)
            await sql.record(connection, part=part, file=migration.file, checksum=migration.checksum)

    try:
        await retrying(once)
    except RetryError as error:
        last = error.last_attempt
        raise MigrationError(
            f"{part}/{migration.file} found a table locked in {last.attempt_number} tries ({last.exception()}); "
            "nothing of it was applied: end the long transaction (pg_stat_activity), then migrate again"
        ) from error


async def _flavour(connection: Connection, known: dict[str, str]) -> Flavour:
    # A database keeps the flavour it began with, whatever is installed later.
    if any(file.endswith(".timescale.sql") for file in known):
        return "timescale"
    if any(file.endswith(".plain.sql") for file in known):
        return "plain"
    sql = queries("migrations")
    if not await sql.timescale_ready(connection):
        return "plain"
    await connection.execute(sql.create_timescale.sql)
    return "timescale"
