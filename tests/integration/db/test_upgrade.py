"""A database of an earlier release comes to the present columns with its rows, also beside a long transaction."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tenacity import stop_after_attempt, wait_fixed

from schemas.topics import ALERTS
from streams.db.files import SQL_DIR
from streams.db.generate import write
from streams.db.maintenance import refresh_minutes
from streams.db.migrate import UNTIL_UNLOCKED, MigrationError, migrate, migrate_part
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.conftest import Databases
from tests.integration.db.feeding import event, raw
from tests.unit.agents.view.records import ALERT
from tests.unit.streams.db.frozen import frozen

NOW = datetime.now(UTC).replace(microsecond=0)
# How a column is added, to a partitioned table with rows and to a table of records.
ADDED = (
    "ALTER TABLE gpu_health_metrics ADD COLUMN IF NOT EXISTS new_signal double precision;\n"
    "ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS new_field bigint NOT NULL DEFAULT 7;\n"
)

Columns = dict[tuple[str, str], tuple[str, str, str | None]]


async def all_columns(connection: Connection) -> Columns:
    """Return type, nullability and default of every column but those of the partitions of single days."""
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name !~ '_[0-9]{6,8}$'"
    )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Return a folder with exactly the migrations of release 0.1.0."""
    for path in frozen()["0.1.0"]:
        target = tmp_path / "released" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SQL_DIR / path, target)
    return tmp_path / "released"


@pytest_asyncio.fixture(loop_scope="session")
async def old(databases: Databases, database_dsn: str, released: Path) -> AsyncIterator[Connection]:
    """Yield a connection to a database of release 0.1.0 that has a raw row and an alert."""
    connection = await connect(database_dsn)
    await migrate_part(connection, "metrics", released / "metrics")
    await migrate_part(connection, "assets", released / "assets")
    # Columns by name, as the release wrote them: the present writer may name newer ones.
    if databases.kind == "plain":
        await connection.execute(
            "SELECT gpu_ensure_partitions('gpu_health_metrics', 'day', ARRAY[now()], '2026-01-01')"
        )
    await connection.execute(
        "INSERT INTO gpu_health_metrics (time, gpu_id, host_id, temp_gpu, appended_at) "
        "VALUES (now(), 'GPU-1', 'host-1', 61.5, now())"
    )
    known = await all_columns(connection)
    names = [name for table, name in known if table == "gpu_alerts"]
    values = {"text": "'x'", "bigint": "1", "boolean": "false", "double precision": "0.5", "jsonb": "'[]'"}
    filled = ", ".join(values.get(known["gpu_alerts", name][0], "now()") for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    await connection.execute(f"INSERT INTO gpu_alerts ({quoted}) VALUES ({filled})")
    yield connection
    await connection.close()


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """Return a folder with the present migrations of the metrics and one more."""
    folder = tmp_path / "next"
    shutil.copytree(SQL_DIR / "metrics", folder)
    (folder / "900_added.sql").write_text(ADDED)
    return folder


async def rows_of(connection: Connection) -> list[dict[str, object]]:
    """Return the raw row and the alert."""
    tables = ("gpu_health_metrics", "gpu_alerts")
    return [dict(row) for table in tables for row in await connection.fetch(f"SELECT * FROM {table}")]


async def test_a_database_of_the_release_becomes_as_a_new_one(
    old: Connection, database_settings: Settings, databases: Databases
) -> None:
    before = await rows_of(old)
    report = await migrate(database_settings)
    other_kind = ".timescale." if databases.kind == "plain" else ".plain."
    assert set(report.present) == {path for path in frozen()["0.1.0"] if other_kind not in path}
    after = await rows_of(old)
    assert len(before) == len(after) == 2
    assert (after[1]["action"], after[1]["action_text"], after[1]["action_code"]) == ("x", "", "see_text")
    for was, now in zip(before, after, strict=True):
        assert was.items() <= now.items()
    fresh = await databases.create()
    new = await connect(fresh)
    try:
        await migrate_part(new, "metrics")
        await migrate_part(new, "assets")
        assert await all_columns(old) == await all_columns(new)
    finally:
        await new.close()
        await databases.drop(fresh)


async def test_minutes_of_the_release_stay_with_their_increments(
    old: Connection, databases: Databases, database_settings: Settings
) -> None:
    start = NOW.replace(second=0) - timedelta(hours=30)
    for minute, corrected in ((0, 100.0), (1, 103.0), (2, None), (4, 110.0), (5, 2.0)):
        await old.execute(
            "INSERT INTO gpu_health_metrics (time, gpu_id, host_id, temp_gpu, ecc_correctable, appended_at) "
            "VALUES ($1, 'GPU-2', 'host-1', 60, $2, now())",
            start + timedelta(minutes=minute),
            corrected,
        )
    await old.execute(
        "INSERT INTO gpu_minutes_touched (bucket) SELECT date_trunc('minute', time) FROM gpu_health_metrics"
    )
    if databases.kind == "plain":
        await old.execute("SELECT gpu_refresh_minutes(now(), 1000)")
    else:
        await old.execute(
            f"CALL refresh_continuous_aggregate('gpu_metrics_1min_base', '{start - timedelta(days=1)}', NULL)"
        )
    query = "SELECT * FROM gpu_metrics_1min WHERE gpu_id = 'GPU-2' ORDER BY bucket"
    before = [dict(row) for row in await old.fetch(query)]
    assert [row["ecc_correctable"] for row in before] == [0.0, 3.0, None, 7.0, 2.0]
    await databases.forget_raw(old)
    await migrate(database_settings)
    await refresh_minutes(old, datetime.now(UTC))
    after = [dict(row) for row in await old.fetch(query)]
    assert [was.items() <= now.items() for was, now in zip(before, after, strict=True)] == [True] * 5


async def test_a_new_column_comes_to_old_rows(old: Connection, next_release: Path) -> None:
    _, applied, _ = await migrate_part(old, "metrics", next_release)
    assert applied[-1] == "metrics/900_added.sql"
    metric, alert = await rows_of(old)
    assert (metric["temp_gpu"], metric["new_signal"]) == (61.5, None)
    assert alert["new_field"] == 7
    _, again, _ = await migrate_part(old, "metrics", next_release)
    assert again == []


async def test_what_the_generator_writes_makes_the_columns_whole(
    databases: Databases, database_dsn: str, tmp_path: Path
) -> None:
    shutil.copytree(SQL_DIR / "metrics", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("00[13]_*.sql"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.lstrip().startswith(("fan_speed_ratio ", '"band" '))]
        path.write_text("".join(kept), encoding="utf-8")
    connection = await connect(database_dsn)
    try:
        await migrate_part(connection, "metrics", tmp_path)
        short = await all_columns(connection)
        written = write("fan_and_band", tmp_path)
        assert written is not None
        _, applied, _ = await migrate_part(connection, "metrics", tmp_path)
        assert applied == [f"metrics/{written.name}"]
        added = (await all_columns(connection)).keys() - short.keys()
        scores, raw_table = "gpu_health_scores", "gpu_health_metrics"
        of_plain = {(raw_table + "_default", "fan_speed_ratio")} if databases.kind == "plain" else set()
        assert added == {(scores, "band"), (raw_table, "fan_speed_ratio")} | of_plain
    finally:
        await connection.close()


async def test_a_writer_that_does_not_know_the_new_columns_goes_on(
    old: Connection, next_release: Path, database_dsn: str
) -> None:
    await migrate_part(old, "metrics", next_release)
    writer = Writer(database_dsn, timedelta(days=7), time.monotonic)
    try:
        writer.add(raw(NOW))
        writer.add(raw(NOW - timedelta(days=1)))  # a partition that is made after the change
        writer.add(event(ALERTS, ALERT))
        await writer.flush()
    finally:
        await writer.close()
    assert await old.fetchval("SELECT count(*) FROM gpu_health_metrics WHERE new_signal IS NULL") == 3
    assert await old.fetchval("SELECT count(*) FROM gpu_alerts WHERE new_field = 7") == 2


async def test_a_locked_table_is_tried_again(old: Connection, next_release: Path, database_dsn: str) -> None:
    other = await connect(database_dsn)
    locked = asyncio.Event()

    async def hold() -> None:
        async with other.transaction():
            await other.execute("LOCK TABLE gpu_alerts IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await asyncio.sleep(3.0)

    try:
        holder = asyncio.create_task(hold())
        await locked.wait()
        _, applied, _ = await migrate_part(old, "metrics", next_release)
        assert applied[-1] == "metrics/900_added.sql"
        await holder
    finally:
        await other.close()
    assert await old.fetchval("SHOW lock_timeout") == "0"


async def test_a_table_that_stays_locked_is_refused_by_name(
    old: Connection, next_release: Path, database_dsn: str
) -> None:
    twice = UNTIL_UNLOCKED.copy(stop=stop_after_attempt(2), wait=wait_fixed(0.1))
    await migrate_part(old, "metrics")  # files before it may want the same table
    other = await connect(database_dsn)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE gpu_alerts IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(MigrationError, match=r"metrics/900_added\.sql .* in 2 tries .* nothing of it"):
                await migrate_part(old, "metrics", next_release, retrying=twice)
        assert ("gpu_health_metrics", "new_signal") not in await all_columns(old)
        _, applied, _ = await migrate_part(old, "metrics", next_release)
        assert applied[-1] == "metrics/900_added.sql"
    finally:
        await other.close()
