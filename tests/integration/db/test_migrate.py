"""Migrations on a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.store.raw_rows import METRICS_COLUMNS, METRICS_TABLE
from agents.store.rows import EVENT_TABLES
from schemas.signals import SIGNALS
from streams.db.migrate import MigrationError, migrate, migrate_part, migrations
from streams.db.pool import Connection, connect
from streams.settings import Settings
from tests.integration.db.conftest import Databases


async def columns(connection: Connection, table: str) -> dict[str, tuple[str, bool]]:
    rows = await connection.fetch(
        "SELECT column_name, data_type, is_nullable = 'YES' AS nullable FROM information_schema.columns "
        "WHERE table_name = $1 ORDER BY ordinal_position",
        table,
    )
    return {row["column_name"]: (row["data_type"], row["nullable"]) for row in rows}


async def test_a_second_run_changes_nothing(database_settings: Settings, databases: Databases) -> None:
    first = await migrate(database_settings)
    assert first.flavour == databases.kind
    assert first.present == ()
    wanted = [m.file for m in migrations("metrics") if m.flavour in (None, databases.kind)]
    assert first.applied == (*(f"metrics/{file}" for file in wanted), "assets/001_gpu_assets.sql")
    second = await migrate(database_settings)
    assert second.applied == ()
    assert second.present == first.applied


async def test_two_processes_at_once_apply_each_file_once(database_settings: Settings) -> None:
    reports = await asyncio.gather(*(migrate(database_settings) for _ in range(3)))
    applied = [file for report in reports for file in report.applied]
    assert len(applied) == len(set(applied)) == len(reports[0].applied) + len(reports[0].present)


async def test_a_changed_file_is_refused_by_name(database_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "001_first.sql"
    file.write_text("CREATE TABLE one (a int);")
    connection = await connect(database_dsn)
    try:
        await migrate_part(connection, "metrics", tmp_path)
        file.write_text("CREATE TABLE one (a bigint);")
        (tmp_path / "002_second.sql").write_text("CREATE TABLE two (a int);")
        with pytest.raises(MigrationError, match=r"metrics/001_first\.sql"):
            await migrate_part(connection, "metrics", tmp_path)
        assert await connection.fetchval("SELECT to_regclass('two')") is None
    finally:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing_and_can_be_mended(database_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "001_first.sql"
    file.write_text("CREATE TABLE one (a int); SELECT 1 / 0;")
    connection = await connect(database_dsn)
    try:
        with pytest.raises(Exception, match="division by zero"):
            await migrate_part(connection, "metrics", tmp_path)
        assert await connection.fetchval("SELECT to_regclass('one')") is None
        file.write_text("CREATE TABLE one (a int);")
        _, applied, _ = await migrate_part(connection, "metrics", tmp_path)
        assert applied == ["metrics/001_first.sql"]
    finally:
        await connection.close()


async def test_the_asset_database_may_be_another_one(
    database_settings: Settings, postgres_dsn: str, database_dsn: str
) -> None:
    settings = database_settings.model_copy(update={"assets_dsn": SecretStr(postgres_dsn)})
    report = await migrate(settings)
    assert "assets/001_gpu_assets.sql" in report.applied
    connection = await connect(postgres_dsn)
    try:
        assert await connection.fetchval("SELECT to_regclass('gpu_assets') IS NOT NULL")
        assert await connection.fetchval("SELECT to_regclass('gpu_health_metrics')") is None
        await connection.execute("DROP TABLE gpu_assets CASCADE; DROP TABLE gpu_health_migrations")
    finally:
        await connection.close()


async def test_every_signal_is_a_nullable_column(database: Connection) -> None:
    found = await columns(database, METRICS_TABLE)
    for signal in SIGNALS:
        assert found[signal.column] == ("double precision", True)
    assert set(METRICS_COLUMNS) | {"temp_hotspot"} == set(found)
    assert found["time"] == ("timestamp with time zone", False)


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
async def test_every_field_of_a_record_is_a_column(database: Connection, table: object) -> None:
    (known,) = [t for t in EVENT_TABLES if t is table]
    types = {"timestamptz": "timestamp with time zone"}
    found = await columns(database, known.name)
    if known.name == "gpu_alerts":  # version 1's name of action_text stays for its rows, and may be empty
        assert found.pop("action") == ("text", True)
    assert found == {column.name: (types.get(column.type, column.type), column.nullable) for column in known.columns}
