"""The same names on TimescaleDB; runs where a server is given."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr

from streams.db.maintenance import maintain
from streams.db.migrate import migrate
from streams.db.pool import connect
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.feeding import raw

SERVER = os.environ.get("GPU_HEALTH_TEST_TIMESCALE_DSN", "")

pytestmark = pytest.mark.skipif(not SERVER, reason="GPU_HEALTH_TEST_TIMESCALE_DSN names no TimescaleDB server")


@pytest_asyncio.fixture(loop_scope="session")
async def timescale() -> AsyncIterator[Settings]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = await connect(SERVER)
    await server.execute(f"CREATE DATABASE {name}")
    yield Settings(metrics_dsn=SecretStr(urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))))
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


async def test_rows_minutes_and_policies(timescale: Settings) -> None:
    report = await migrate(timescale)
    assert report.flavour == "timescale"
    await migrate(timescale)
    writer = Writer(timescale.metrics_dsn.get_secret_value(), timedelta(days=30), time.monotonic)
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    for _ in range(2):
        for second in range(0, 180, 10):
            metrics = {"DCGM_FI_DEV_GPU_TEMP": 60.0, "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": float(second)}
            writer.add(raw(start + timedelta(seconds=second), metrics=metrics))
        await writer.flush()
    await writer.close()
    connection = await connect(timescale.metrics_dsn.get_secret_value())
    try:
        assert await connection.fetchval("SELECT count(*) FROM gpu_health_metrics") == 18
        done = await maintain(connection, timescale)
        assert done is not None
        assert done.minutes == 3
        rows = await connection.fetch("SELECT samples, ecc_correctable FROM gpu_metrics_1min ORDER BY bucket")
        assert [tuple(row) for row in rows] == [(6, 50.0), (6, 60.0), (6, 60.0)]
        jobs = await connection.fetch("SELECT proc_name FROM timescaledb_information.jobs WHERE job_id >= 1000")
        assert sorted(row["proc_name"] for row in jobs) == ["policy_compression"] * 2 + ["policy_retention"] * 2
    finally:
        await connection.close()


async def test_late_rows_and_duplicates_into_compressed_chunks_lose_nothing(timescale: Settings) -> None:
    await migrate(timescale)
    dsn = timescale.metrics_dsn.get_secret_value()
    writer = Writer(dsn, timedelta(days=30), time.monotonic)
    connection = await connect(dsn)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    first = [raw(start + timedelta(seconds=10 * n), f"GPU-{n % 3}") for n in range(600)]
    late = [raw(start + timedelta(seconds=10 * n + 5), f"GPU-{n % 3}") for n in range(600)]
    try:
        for record in first:
            writer.add(record)
        await writer.flush()
        await maintain(connection, timescale)
        for table in ("gpu_health_metrics", "gpu_metrics_1min_base"):
            compressed = await connection.fetchval(f"SELECT count(compress_chunk(c)) FROM show_chunks('{table}') c")
            assert compressed > 0
        for record in [*first[:300], *late]:  # each batch has duplicates and new rows
            writer.add(record)
        await writer.flush()
        assert await connection.fetchval("SELECT count(*) FROM gpu_health_metrics") == 1_200
        table = "gpu_health_metrics"
        assert (writer.given[table], writer.stored[table]) == (1_500, 1_200)
        done = await maintain(connection, timescale)
        assert done is not None
        assert done.minutes == 100
        assert await connection.fetchval("SELECT sum(samples) FROM gpu_metrics_1min") == 1_200
    finally:
        await writer.close()
        await connection.close()


async def test_a_raw_row_is_compressed_within_25_hours(timescale: Settings) -> None:
    await migrate(timescale)
    connection = await connect(timescale.metrics_dsn.get_secret_value())
    try:
        waits = await connection.fetchval(
            "SELECT max(d.time_interval) + max((j.config ->> 'compress_after')::interval) + max(j.schedule_interval) "
            "FROM timescaledb_information.dimensions d JOIN timescaledb_information.jobs j USING (hypertable_name) "
            "WHERE hypertable_name = 'gpu_health_metrics' AND proc_name = 'policy_compression'"
        )
    finally:
        await connection.close()
    assert waits == timedelta(hours=25)
