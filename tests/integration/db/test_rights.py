"""Each duty's rights are enough for it, and no more."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from schemas.topics import EVENTS
from streams.db.maintenance import maintain
from streams.db.pool import Connection, connect
from streams.db.rights import Duty, RightsError, grant
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.feeding import event, raw
from tests.unit.agents.view.records import EVENT

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


@pytest_asyncio.fixture(loop_scope="session")
async def role(database: Connection) -> AsyncIterator[str]:
    """Return a new role that may log in and nothing else."""
    name = f"Role {uuid.uuid4().hex[:8]}"
    await database.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'secret'")
    yield name
    await database.execute(f'DROP OWNED BY "{name}"')
    await database.execute(f'DROP ROLE "{name}"')


@pytest.fixture
def role_dsn(role: str, migrated: Settings) -> str:
    parts = urlsplit(migrated.metrics_dsn.get_secret_value())
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role.replace(' ', '%20')}:secret@{place}"))


async def test_role_store_writes_and_maintains(
    migrated: Settings, database: Connection, role: str, role_dsn: str
) -> None:
    await grant(migrated, role, ("writer", "maintenance"))
    writer = Writer(role_dsn, timedelta(days=7), time.monotonic)
    connection = await connect(role_dsn)
    try:
        for _ in range(2):  # the second time all are duplicates
            writer.add(raw(NOW))
            writer.add(raw(NOW, metrics={}, events=[{"type": "xid", "code": 79, "line": "x"}]))
            writer.add(event(EVENTS, EVENT))
            await writer.flush()
        report = await maintain(connection, migrated)
        assert report is not None
        assert report.minutes == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM gpu_health_metrics")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE gpu_alerts SET gpu_id = 'x'")
    finally:
        await writer.close()
        await connection.close()
    assert await database.fetchval("SELECT count(*) FROM gpu_metrics_1min") == 1


@pytest.mark.parametrize("duty", ["writer", "reader", "assets"])
async def test_no_other_duty_may_maintain(migrated: Settings, role: str, role_dsn: str, duty: Duty) -> None:
    await grant(migrated, role, (duty,))
    connection = await connect(role_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await maintain(connection, migrated)
    finally:
        await connection.close()


async def test_a_reader_reads_all_and_changes_nothing(migrated: Settings, role: str, role_dsn: str) -> None:
    await grant(migrated, role, ("reader",))
    await grant(migrated, role, ("reader",))
    connection = await connect(role_dsn)
    try:
        for name in (
            "gpu_health_metrics",
            "gpu_metrics_1min",
            "gpu_latest_health_scores",
            "gpu_assets_aged",
            "gpu_alerts",
        ):
            assert await connection.fetchval(f"SELECT count(*) FROM {name}") == 0
        for command in ("INSERT INTO gpu_minutes_touched (bucket) VALUES (now())", "DELETE FROM gpu_assets"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(command)
    finally:
        await connection.close()


async def test_a_role_that_is_not_there_is_named(migrated: Settings) -> None:
    with pytest.raises(RightsError, match="nobody-here"):
        await grant(migrated, "nobody-here", ("reader",))
