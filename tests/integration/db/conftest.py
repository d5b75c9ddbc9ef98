"""A migrated database and a writer into it, on plain PostgreSQL and, where a server is given, on TimescaleDB."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr

from streams.db.migrate import migrate
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.embedded.postgres import EmbeddedPostgres
from streams.settings import Settings

TIMESCALE_SERVER = os.environ.get("GPU_HEALTH_TEST_TIMESCALE_DSN", "")
KINDS = ["plain", "timescale"] if TIMESCALE_SERVER else ["plain"]


class Databases:
    """Databases on one kind of server: ``plain`` PostgreSQL or ``timescale``."""

    def __init__(self, kind: str, plain: EmbeddedPostgres) -> None:
        self.kind = kind
        self._plain = plain

    def server_dsn(self) -> str:
        """Return the connection string of the server's own database."""
        return self._plain.dsn() if self.kind == "plain" else TIMESCALE_SERVER

    async def create(self) -> str:
        """Return the connection string of a fresh, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        if self.kind == "plain":
            return await self._plain.ensure_database(name)
        await self._tell(f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(TIMESCALE_SERVER)._replace(path=f"/{name}"))

    async def forget_raw(self, database: Connection) -> None:
        """Drop all raw rows as the retention does: by whole partitions or chunks."""
        if self.kind == "timescale":
            await database.execute(
                "SELECT drop_chunks('gpu_health_metrics', older_than => now() + INTERVAL '9 days')"
            )
        else:
            await database.execute(
                "SELECT gpu_drop_partitions('gpu_health_metrics', now() + INTERVAL '9 days', NULL)"
            )
            await database.execute("DELETE FROM gpu_health_metrics_default")
        assert await database.fetchval("SELECT count(*) FROM gpu_health_metrics") == 0

    async def drop(self, dsn: str) -> None:
        """Drop what :meth:`create` made, also under open connections."""
        await self._tell(f"DROP DATABASE {urlsplit(dsn).path[1:]} WITH (FORCE)")

    async def _tell(self, command: str) -> None:
        server = await connect(self.server_dsn())
        try:
            await server.execute(command)
        finally:
            await server.close()


@pytest.fixture(params=KINDS)
def databases(request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres) -> Databases:
    """Return each kind of server in turn; a test that is marked ``plain_postgres`` sees the one kind alone."""
    if request.param == "timescale" and request.node.get_closest_marker("plain_postgres") is not None:
        pytest.skip("is about what plain PostgreSQL alone has")
    return Databases(request.param, postgres_server)


@pytest_asyncio.fixture(loop_scope="session")
async def database_dsn(databases: Databases) -> AsyncIterator[str]:
    """Return the connection string of a fresh, empty database; dropped after the test."""
    dsn = await databases.create()
    yield dsn
    await databases.drop(dsn)


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
