"""Minutes on both kinds of server; partitions and retention where the project itself does them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.topics import EVENTS
from streams.db.maintenance import drop_old, ensure_days_ahead, maintain, refresh_minutes
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.conftest import Databases
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


async def test_minutes_whose_raw_rows_are_gone_keep_what_they_had(
    writer: Writer, database: Connection, databases: Databases
) -> None:
    for gpu_id in ("GPU-1", "GPU-2"):
        for minute in range(60):
            for second in (0, 10, 20):
                writer.add(sample(minute, second, float(minute), gpu_id=gpu_id))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    columns = "gpu_id, samples, max_temp_gpu, ecc_correctable"
    before = await minutes(database, columns)
    assert len(before) == 120
    await databases.forget_raw(database)
    writer.add(sample(0, 40, DCGM_FI_DEV_GPU_TEMP=99.0))  # one late row of one GPU
    writer.add(sample(7, 40, gpu_id="GPU-3"))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert await minutes(database, columns) == [*before, (7, "GPU-3", 1, 60.0, None)]


async def test_the_guides_columns_are_there_by_their_names(writer: Writer, database: Connection) -> None:
    for second, corrected in ((0, 7.0), (30, 9.0)):
        values = {"DCGM_FI_DEV_POWER_USAGE": 300.0 + second, "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": corrected - 7.0}
        writer.add(sample(0, second, corrected, "GPU-1", **values))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    found = await minutes(
        database,
        "gpu_id, host_id, avg_temp_gpu, avg_power, avg_util_gpu, total_ecc_correctable, total_ecc_uncorrectable",
    )
    assert found == [(0, "GPU-1", "node-1", 60.0, 315.0, None, 2.0, 2.0)]


async def test_a_late_minute_takes_its_part_of_the_next_ones_increment(writer: Writer, database: Connection) -> None:
    for minute, corrected in ((0, 100.0), (4, 105.0)):
        writer.add(sample(minute, 0, corrected))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert await minutes(database, "ecc_correctable") == [(0, 0.0), (4, 5.0)]
    writer.add(sample(2, 0, 102.0))
    writer.add(sample(3, 0))  # without the counter
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert await minutes(database, "ecc_correctable") == [(0, 0.0), (2, 2.0), (3, None), (4, 3.0)]


async def test_a_counter_goes_on_after_days_of_silence(writer: Writer, database: Connection) -> None:
    writer.add(sample(-3 * 24 * 60, 0, 100.0))
    writer.add(sample(0, 0, 104.0))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    assert [row[1] for row in await minutes(database, "ecc_correctable")] == [0.0, 4.0]


async def scans(database: Connection, at: datetime) -> int:
    """Return how often the partition or chunk of raw rows of ``at`` was read so far."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    part = await database.fetchval("SELECT tableoid FROM gpu_health_metrics WHERE time = $1", at)
    await database.execute("SELECT pg_stat_force_next_flush()")
    found = await database.fetchval(
        "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_all_tables WHERE relid = $1", part
    )
    return int(found)


@pytest.mark.plain_postgres  # whose join with the minutes read all partitions
async def test_a_touched_minute_reads_no_other_days(writer: Writer, database: Connection) -> None:
    days = [HOUR - timedelta(days=days) for days in range(4)]
    for day in days:
        writer.add(raw(day))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    for day in (days[0], days[3]):
        writer.add(raw(day + timedelta(seconds=30)))
    await writer.flush()
    before = [await scans(database, day) for day in days]
    again = [await scans(database, day) for day in days]
    own = again[1] - before[1]  # the question itself reads too
    assert await refresh_minutes(database, datetime.now(UTC)) == 2
    after = [await scans(database, day) for day in days]
    read = [second - first > own for first, second in zip(again, after, strict=True)]
    assert read == [True, False, False, True]


async def test_a_question_for_minutes_reads_no_raw_rows(writer: Writer, database: Connection) -> None:
    """Of a continuous aggregate the newest minutes came from all raw rows: 20 s for one GPU's hour at 30 days."""
    writer.add(sample(0, 0, 1.0))
    await writer.flush()
    await refresh_minutes(database, datetime.now(UTC))
    raw_tables = {
        row[0] for row in await database.fetch("SELECT DISTINCT tableoid::regclass::text FROM gpu_health_metrics")
    }
    where = f"WHERE gpu_id = 'GPU-1' AND bucket >= '{HOUR.isoformat()}'"
    plan = await database.fetch(f"EXPLAIN (COSTS off) SELECT * FROM gpu_metrics_1min {where}")
    text = "\n".join(row[0] for row in plan)
    assert "gpu_metrics_1min_base" in text or "_hyper_" in text
    names = {table.rpartition(".")[2] for table in raw_tables}
    assert not [name for name in names if name in text]
    assert "SubPlan" not in text
    assert "Nested Loop" not in text


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


@pytest.mark.plain_postgres
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


@pytest.mark.plain_postgres  # TimescaleDB's policies go by the sample's own time: see test_timescale
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
