"""A migrated database and a writer into it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from pydantic import SecretStr

from streams.db.migrate import migrate
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.settings import Settings


@pytest.fixture
def database_settings(database_dsn: str) -> Settings:
    return Settings(metrics_dsn=SecretStr(database_dsn))


@pytest_asyncio.fixture(loop_scope="session")
async def migrated(database_settings: Settings) -> Settings:
    await migrate(database_settings)
    return database_settings


@pytest_asyncio.fixture(loop_scope="session")
async def database(migrated: Settings) -> AsyncIterator[Connection]:
    connection = await connect(migrated.metrics_dsn.get_secret_value())
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def writer(migrated: Settings) -> AsyncIterator[Writer]:
    made = Writer(migrated.metrics_dsn.get_secret_value(), timedelta(days=7), time.monotonic)
    yield made
    await made.close()
