"""Numbered, checksummed migrations of both databases, run under an advisory lock."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from schemas.errors import ShutdownError
from streams.db.files import SQL_DIR, queries
from streams.db.maintenance import apply_policies
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.settings import Settings

Part = Literal["metrics", "assets"]
Flavour = Literal["plain", "timescale"]


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
    """The database does not have the history that these files tell; the text names the file."""


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
        A migration that was applied has another text now.
    """
    metrics = await connect(metrics_dsn(settings), command_timeout=None)
    try:
        flavour, applied, present = await migrate_part(metrics, "metrics")
        if flavour == "timescale":
            await apply_policies(metrics, settings)
    finally:
        await metrics.close()
    assets = await connect(assets_dsn(settings), command_timeout=None)
    try:
        _, assets_applied, assets_present = await migrate_part(assets, "assets")
    finally:
        await assets.close()
    return MigrationReport(flavour, (*applied, *assets_applied), (*present, *assets_present))


async def migrate_part(
    connection: Connection, part: Part, directory: Path | None = None
) -> tuple[Flavour, list[str], list[str]]:
    """Apply what is missing of ``part``; return the flavour, the files applied and those present before."""
    sql = queries("migrations")
    await sql.lock(connection)
    try:
        await connection.execute(sql.ensure_table.sql)
        known = {row["file"]: row["checksum"] async for row in sql.applied(connection, part=part)}
        flavour = await _flavour(connection, known) if part == "metrics" else "plain"
        wanted = [m for m in migrations(part, directory) if m.flavour in (None, flavour)]
        for migration in wanted:
            if known.get(migration.file, migration.checksum) != migration.checksum:
                raise MigrationError(
                    f"{part}/{migration.file} was applied with another text: restore the file, "
                    "or add a new migration for what it changes"
                )
        applied = [m for m in wanted if m.file not in known]
        for migration in applied:
            async with connection.transaction():
                await connection.execute(migration.text)
                await sql.record(connection, part=part, file=migration.file, checksum=migration.checksum)
        prefix = f"{part}/"
        return flavour, [prefix + m.file for m in applied], [prefix + m.file for m in wanted if m.file in known]
    finally:
        await sql.unlock(connection)


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
