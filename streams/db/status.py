"""What the databases hold: version, sizes, rows, retention, migrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agents.store.raw_rows import METRICS_TABLE, RAW_EVENTS_TABLE
from agents.store.rows import EVENT_TABLES
from streams.db.files import queries
from streams.db.migrate import Part, migrations
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.settings import Settings

_MINUTES: Final = "gpu_metrics_1min_base"
_EVENT_NAMES: Final = tuple(table.name for table in EVENT_TABLES)
METRICS_TABLES: Final = (METRICS_TABLE, RAW_EVENTS_TABLE, _MINUTES, *_EVENT_NAMES, "gpu_predictions", "gpu_assets")
# A count reads the whole table: above this the planner's estimate must do.
COUNTED_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """One database. Each of ``tables`` has name, rows, rows_estimated, size_bytes, partitions, retention_days."""

    part: Part
    database: str
    version: str
    timescale_version: str | None
    flavour: str
    size_bytes: int
    migrations_applied: int
    migrations_missing: tuple[str, ...]
    tables: tuple[dict[str, Any], ...]


async def database_status(settings: Settings, *, counted_bytes: int = COUNTED_BYTES) -> list[DatabaseStatus]:
    """Return the state of the metrics and of the asset database; from ``counted_bytes`` on rows are estimated."""
    found: list[DatabaseStatus] = []
    parts: tuple[tuple[Part, str, tuple[str, ...]], ...] = (
        ("metrics", metrics_dsn(settings), METRICS_TABLES),
        ("assets", assets_dsn(settings), ("gpu_assets",)),
    )
    for part, dsn, tables in parts:
        connection = await connect(dsn)
        try:
            found.append(await _status(connection, part, tables, settings, counted_bytes))
        finally:
            await connection.close()
    return found


async def _status(
    connection: Connection, part: Part, tables: tuple[str, ...], settings: Settings, counted_bytes: int
) -> DatabaseStatus:
    sql = queries("status")
    server = await sql.server(connection)
    applied: set[str] = set()
    if await queries("migrations").table_exists(connection):
        applied = {row["file"] async for row in queries("migrations").applied(connection, part=part)}
    plain = not any(file.endswith(".timescale.sql") for file in applied)
    wanted = {m.file for m in migrations(part) if m.flavour in (None, "plain" if plain else "timescale")}
    sizes = [dict(row) async for row in sql.table_sizes(connection, names=list(tables))]
    retention = _retention_days(settings, plain)
    chunked = {} if plain else {row["name"]: dict(row) async for row in sql.hypertables(connection)}
    for size in sizes:
        size |= chunked.get(size["name"], {})
        estimated = size.pop("estimated_rows")
        small = size["size_bytes"] < counted_bytes
        text = sql.count_rows.sql.format(table=size["name"])
        size["rows"] = await connection.fetchval(text) if small else estimated
        size["rows_estimated"] = not small
        size["retention_days"] = retention.get(size["name"])
    return DatabaseStatus(
        part=part,
        database=server["database"],
        version=server["version"],
        timescale_version=server["timescale_version"],
        flavour="plain" if plain else "timescale",
        size_bytes=server["size_bytes"],
        migrations_applied=len(applied & wanted),
        migrations_missing=tuple(sorted(wanted - applied)),
        tables=tuple(sizes),
    )


def _retention_days(settings: Settings, plain: bool) -> dict[str, int]:
    raw = settings.plain_raw_retention_days if plain else settings.raw_retention_days
    days = dict.fromkeys(_EVENT_NAMES, settings.event_retention_days)
    return days | {METRICS_TABLE: raw, RAW_EVENTS_TABLE: raw, _MINUTES: settings.minute_retention_days}
