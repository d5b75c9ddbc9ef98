"""What each database role of this project may do: granted, never assumed."""

from __future__ import annotations

from typing import Final, Literal, get_args

from agents.store.raw_rows import METRICS_TABLE, RAW_EVENTS_TABLE
from agents.store.rows import EVENT_TABLES
from schemas.errors import ShutdownError
from streams.db.files import queries
from streams.db.maintenance import is_plain
from streams.db.pool import Connection, assets_dsn, connect, metrics_dsn
from streams.settings import Settings

Duty = Literal["writer", "maintenance", "reader", "assets"]
DUTIES: Final[tuple[Duty, ...]] = get_args(Duty)

_EVENTS: Final = (RAW_EVENTS_TABLE, *(table.name for table in EVENT_TABLES))


class RightsError(ShutdownError):
    """The rights cannot be granted; the text names the repair."""


async def grant(settings: Settings, role: str, duties: tuple[Duty, ...]) -> list[str]:
    """Grant ``role`` what ``duties`` need, each database in one transaction; return the databases.

    Safe to run again, and needed again after a migration that adds a table. Nothing is ever revoked.

    Parameters
    ----------
    settings
        Whose DSNs name the databases; their user is the one that migrated.
    role
        An existing role of the server.
    duties
        ``writer`` stores rows, ``maintenance`` computes minutes and drops old rows (role store needs both),
        ``reader`` selects from everything (dashboards, `db status`, doctor, replay), ``assets`` imports the list.

    Raises
    ------
    RightsError
        There is no such role, or nothing was migrated.
    """
    done: list[str] = []
    metrics, assets = metrics_dsn(settings), assets_dsn(settings)
    for dsn in dict.fromkeys((metrics, assets)):
        connection = await connect(dsn, writable=True)
        try:
            async with connection.transaction():
                if await _grant(connection, role, duties, metrics=dsn == metrics):
                    done.append(await connection.fetchval(queries("rights").database.sql))
        finally:
            await connection.close()
    return done


async def _grant(connection: Connection, role: str, duties: tuple[Duty, ...], *, metrics: bool) -> bool:
    sql = queries("rights")
    if not await sql.role_exists(connection, role=role):
        raise RightsError(f"there is no role {role!r} on this server: CREATE ROLE {quoted(role)} LOGIN PASSWORD ...")
    if not await queries("migrations").table_exists(connection):
        raise RightsError("the database has no tables yet: gpu-health db migrate")
    database = await connection.fetchval(sql.database.sql)
    plain = metrics and await is_plain(connection)
    steps: list[tuple[str, str]] = []
    if "reader" in duties:
        steps.append((sql.reader.sql, ""))
    if "assets" in duties:
        steps.append((sql.assets.sql, ""))
        if metrics:
            steps.append((sql.assets_lookup.sql, ""))
    if metrics and "writer" in duties:
        steps.append((sql.writer.sql, ", ".join((METRICS_TABLE, *_EVENTS))))
        if plain:
            steps.append((sql.writer_partitions.sql, ""))
    if metrics and "maintenance" in duties:
        steps.append((sql.maintenance.sql, ", ".join(_EVENTS)))
        if plain:
            steps.append((sql.maintenance_partitions.sql, ""))
    for text, tables in steps:
        await connection.execute(text.format(role=quoted(role), database=quoted(database), tables=tables))
    return bool(steps)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier.

    >>> print(quoted('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'
