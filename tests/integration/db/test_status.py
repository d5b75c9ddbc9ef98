"""What `db status` and doctor say of each kind of server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.db import status as reporting
from streams.db.files import queries
from streams.db.pool import Connection
from streams.db.writer import Writer
from streams.doctor.database import check_databases
from streams.settings import Settings
from tests.integration.db.feeding import raw

NOW = datetime.now(UTC).replace(microsecond=0)


async def test_estimated_rows_are_the_rows(writer: Writer, database: Connection, migrated: Settings) -> None:
    for number in range(300):
        writer.add(raw(NOW - timedelta(seconds=200 * number)))  # too young for compression
    await writer.flush()
    await database.execute("ANALYZE")
    metrics, _ = await reporting.database_status(migrated, counted_bytes=0)
    tables = {table["name"]: table for table in metrics.tables}
    found = tables["gpu_health_metrics"]
    assert (found["rows"], found["rows_estimated"]) == (300, True)
    assert found["partitions"] >= 1
    assert found["size_bytes"] > 0


async def test_doctor_names_a_server_that_takes_no_writes(migrated: Settings, database: Connection) -> None:
    assert {finding.state for finding in await check_databases(migrated)} == {"ok"}
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    findings = await check_databases(migrated)
    assert [finding.state for finding in findings] == ["problem", "problem"]
    assert "takes no writes" in findings[0].what


async def test_doctor_refuses_a_timescaledb_that_loses_rows(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def old(connection: Connection) -> str:
        return "2.17.2"

    monkeypatch.setattr(queries("migrations"), "timescale_version", old)
    finding, *_ = await check_databases(migrated)
    assert (finding.state, finding.what) == ("problem", "metrics: rows are lost")
    assert "2.18.1" in finding.evidence
