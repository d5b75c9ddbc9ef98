"""Minutes, partitions and retention on plain PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.topics import EVENTS
from streams.db.maintenance import drop_old, ensure_days_ahead, maintain, refresh_minutes
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.feeding import event, raw
from tests.unit.agents.view.records import EVENT

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


def sample(minute: int, second: int, corrected: float | None = None, gpu_id: str = "GPU-1", **metrics: float) -> Any:
    values: dict[str, Any] = {"DCGM_FI_DEV_GPU_TEMP": 60.0, **metrics}
    if corrected is not None:
        values["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"] = corrected
    return raw(HOUR + timedelta(minutes=minute, seconds=second), gpu_id, metrics=values)


async def minutes(database: Connection, columns: str) -> list[tuple[Any, ...]]:
    rows = await database.fetch(f"SELECT bucket, {columns} FROM gpu_metrics_1min ORDER BY gpu_id, bucket")
    return [(int((row[0] - HOUR).total_seconds() // 60), *row[1:]) for row in rows]


async def test_a_minute_has_the_guides_columns(writer: Writer, database: Connection) -> None:
    for second in range(0, 60, 10):
        writer.add(
            sample(
                0,
                second,
                DCGM_FI_DEV_GPU_TEMP=60.0 + second,
                DCGM_FI_DEV_GPU_UTIL=50.0,
                DCGM_FI_DEV_CLOCK_THROTTLE_REASONS=32.0 if second >= 40 else 4.0,
            )
        )
    await writer.flush()
    assert await refresh_minutes(database, datetime.now(UTC)) == 1
    found = await minutes(
        database, "samples, avg_temp_gpu, max_temp_gpu, avg_util_gpu, throttle_reason, throttled_samples"
    )
    assert found == [(0, 6, 85.0, 110.0, 50.0, 36, 2)]


async def test_increments_survive_resets_gaps_and_signals_that_pause(writer: Writer, database: Connection) -> None:
    for minute, second, corrected in (
        (0, 0, 100.0),  # a first sight adds nothing
        (0, 50, 103.0),
        (1, 0, 105.0),
        (3, 0, 106.0),  # after a gap
        (4, 0, None),  # not measured
        (5, 0, 110.0),
        (6, 0, 2.0),  # after a reset between two minutes all of it is new
        (7, 0, 5.0),
        (7, 30, 1.0),  # and after one within a minute
    ):
        writer.add(sample(minute, second, corrected))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert await minutes(database, "ecc_correctable") == [
        (0, 3.0),
        (1, 2.0),
        (3, 1.0),
        (4, None),
        (5, 4.0),
        (6, 2.0),
        (7, 3.0 + 1.0),
    ]


async def test_only_touched_minutes_are_computed_and_late_rows_count(writer: Writer, database: Connection) -> None:
    for minute in range(5):
        writer.add(sample(minute, 0))
    await writer.flush()
    now = datetime.now(UTC)
    assert await refresh_minutes(database, now) == 5
    assert await refresh_minutes(database, now) == 0
    writer.add(sample(2, 30, DCGM_FI_DEV_GPU_TEMP=80.0))
    await writer.flush()
    assert await refresh_minutes(database, now) == 1
    assert [row[1:] for row in await minutes(database, "samples, avg_temp_gpu")] == [
        (1, 60.0),
        (1, 60.0),
        (2, 70.0),
        (1, 60.0),
        (1, 60.0),
    ]


async def test_a_minute_that_is_not_over_waits(writer: Writer, database: Connection) -> None:
    writer.add(sample(0, 0))
    await writer.flush()
    assert await refresh_minutes(database, HOUR + timedelta(seconds=69)) == 0
    assert await refresh_minutes(database, HOUR + timedelta(seconds=70)) == 1


async def test_a_minute_whose_raw_rows_are_gone_keeps_what_it_had(writer: Writer, database: Connection) -> None:
    for second in (0, 10, 20):
        writer.add(sample(0, second))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    await database.execute("DELETE FROM gpu_health_metrics")
    writer.add(sample(0, 40, DCGM_FI_DEV_GPU_TEMP=99.0))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert await minutes(database, "samples, max_temp_gpu") == [(0, 3, 60.0)]


async def test_two_workers_at_once_compute_each_minute_once(
    writer: Writer, database: Connection, migrated: Settings
) -> None:
    for minute in range(90):
        writer.add(sample(minute, 0))
    await writer.flush()
    second = await connect(migrated.metrics_dsn.get_secret_value())
    try:
        now = datetime.now(UTC)
        done = await asyncio.gather(refresh_minutes(database, now), refresh_minutes(second, now))
    finally:
        await second.close()
    assert sum(done) == 90
    assert len(await minutes(database, "samples")) == 90


async def test_partitions_are_made_ahead_and_take_what_the_default_one_held(
    writer: Writer, database: Connection, migrated: Settings
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await database.execute(
        "INSERT INTO gpu_health_metrics (time, gpu_id, host_id, appended_at) VALUES ($1, 'GPU-1', 'h', now())",
        tomorrow,
    )
    assert await ensure_days_ahead(database, migrated, datetime.now(UTC)) == 3
    assert await ensure_days_ahead(database, migrated, datetime.now(UTC)) == 0
    part = await database.fetchval("SELECT tableoid::regclass::text FROM gpu_health_metrics")
    assert part == f"gpu_health_metrics_{tomorrow:%Y%m%d}"


async def test_old_days_go_and_what_was_stored_lately_stays(
    writer: Writer, database: Connection, migrated: Settings
) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=400)
    for days in (0, 5):
        writer.add(raw(now - timedelta(days=days)))
    recording = raw(long_ago)
    recording.time_ms = int(now.timestamp() * 1000)  # an old recording, replayed today
    writer.add(recording)
    writer.add(raw(long_ago, "GPU-2"))  # appended then
    await writer.flush()
    settings = migrated.model_copy(update={"plain_raw_retention_days": 3})
    report = await drop_old(database, settings, now)
    assert report.partitions_dropped == [f"gpu_health_metrics_{now - timedelta(days=5):%Y%m%d}"]
    kept = await database.fetch("SELECT gpu_id, time FROM gpu_health_metrics ORDER BY time")
    assert [(row["gpu_id"], (now - row["time"]).days) for row in kept] == [("GPU-1", 400), ("GPU-1", 0)]


async def test_events_past_their_retention_go(writer: Writer, database: Connection, migrated: Settings) -> None:
    writer.add(event(EVENTS, EVENT))
    await writer.flush()
    at = datetime.fromisoformat(EVENT.at)
    report = await drop_old(database, migrated, at + timedelta(days=730))
    assert report.rows_deleted["gpu_events"] == 0
    report = await drop_old(database, migrated, at + timedelta(days=731))
    assert report.rows_deleted["gpu_events"] == 1


async def test_one_worker_maintains_at_a_time(database: Connection, migrated: Settings) -> None:
    second = await connect(migrated.metrics_dsn.get_secret_value())
    try:
        await second.execute("SELECT pg_advisory_lock(hashtext('gpu-health maintenance'))")
        assert await maintain(database, migrated) is None
        await second.execute("SELECT pg_advisory_unlock_all()")
        assert await maintain(database, migrated) is not None
    finally:
        await second.close()
