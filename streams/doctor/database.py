"""Do the databases answer, and do they have the tables of this version."""

from __future__ import annotations

from typing import Final

import asyncpg

from schemas.errors import ShutdownError
from streams.db.files import queries
from streams.db.migrate import MigrationError, Part, migrations, refuse_old_timescale
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.doctor.finding import Finding
from streams.settings import Settings

_MIGRATE: Final = "gpu-health db migrate"


async def check_databases(settings: Settings) -> list[Finding]:
    """Return the findings about the metrics and the asset database."""
    findings: list[Finding] = []
    parts: tuple[Part, ...] = ("metrics", "assets")
    for part in parts:
        try:
            connection = await connect(metrics_dsn(settings) if part == "metrics" else assets_dsn(settings))
        except (
            ShutdownError,
            OSError,
            TimeoutError,
            ValueError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            findings.append(
                Finding(
                    check="database",
                    state="problem",
                    what=f"the {part} database cannot be reached",
                    evidence=f"{type(error).__name__}: {error}"[:300],
                    repair=f"gpu-health up, or set GPU_HEALTH_{part.upper()}_DSN",
                )
            )
            continue
        try:
            findings.append(await _tables(connection, part))
        finally:
            await connection.close()
    return findings


async def _tables(connection: Connection, part: Part) -> Finding:
    sql = queries("migrations")
    if timescale := await sql.timescale_version(connection):
        try:
            refuse_old_timescale(timescale)
        except MigrationError as error:
            return Finding(
                check="database",
                state="problem",
                what=f"{part}: rows are lost",
                evidence=str(error),
                repair="update TimescaleDB on the server, then: ALTER EXTENSION timescaledb UPDATE",
            )
    if await sql.is_read_only(connection):
        return Finding(
            check="database",
            state="problem",
            what=f"{part}: the server takes no writes",
            evidence="transaction_read_only is on: a standby, or a primary that was told so",
            repair=f"name the primary in GPU_HEALTH_{part.upper()}_DSN, or all hosts: postgresql://user@a:5432,b:5432/db",
        )
    version = connection.get_settings().server_version.split()[0]
    known: dict[str, str] = {}
    if await sql.table_exists(connection):
        known = {row["file"]: row["checksum"] async for row in sql.applied(connection, part=part)}
    flavours = {file.rsplit(".", 2)[1] for file in known if file.count(".") == 2}
    flavour = next(iter(flavours), "plain")
    wanted = [one for one in migrations(part) if one.flavour in (None, flavour)]
    missing = [one.file for one in wanted if one.file not in known]
    changed = [one.file for one in wanted if known.get(one.file, one.checksum) != one.checksum]
    server = f"PostgreSQL {version}" + (f", TimescaleDB {timescale}" if timescale else "")
    evidence = f"{server}, {len(known)} migrations"
    if changed:
        return Finding(
            check="database",
            state="problem",
            what=f"{part}: applied with another text: {', '.join(changed)}",
            evidence=evidence,
            repair="install the version that made this database, or restore the files",
        )
    if missing:
        return Finding(
            check="database",
            state="problem",
            what=f"{part}: {len(missing)} migrations are missing",
            evidence=f"{evidence}; first {missing[0]}",
            repair=_MIGRATE,
        )
    return Finding(check="database", state="ok", what=f"{part}: up to date", evidence=evidence)
