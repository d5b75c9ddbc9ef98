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
        assert done.minutes == 60
        rows = await connection.fetch("SELECT samples, ecc_correctable FROM gpu_metrics_1min ORDER BY bucket")
        assert [tuple(row) for row in rows] == [(6, 50.0), (6, 60.0), (6, 60.0)]
        jobs = await connection.fetch("SELECT proc_name FROM timescaledb_information.jobs WHERE job_id >= 1000")
        assert {"policy_retention", "policy_compression", "policy_refresh_continuous_aggregate"} <= {
            row["proc_name"] for row in jobs
        }
    finally:
        await connection.close()
