"""Real servers for the tests: one Kafka and one PostgreSQL a session; names that no two tests share."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.postgres import EmbeddedPostgres
from streams.kafka.clients import client_options
from streams.kafka.topics import ensure_topics
from streams.settings import Settings

_KEPT_SETTINGS = ("GPU_HEALTH_CACHE_DIR", "GPU_HEALTH_MAVEN_URL", "GPU_HEALTH_TEST_TIMESCALE_DSN")


def pytest_configure(config: pytest.Config) -> None:
    """Make the tests independent of the settings of whoever runs them."""
    config.addinivalue_line("markers", "expected_errors: the test provokes logged errors, and checks them")
    config.addinivalue_line("markers", "plain_postgres: the test is about what plain PostgreSQL alone has")
    for name in [name for name in os.environ if name.startswith("GPU_HEALTH_")]:
        if name not in _KEPT_SETTINGS:
            del os.environ[name]


class _ErrorLog(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {self.format(record)}")


@pytest.fixture(autouse=True)
def no_logged_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if anything is logged at ERROR, unless it is marked ``expected_errors``."""
    if request.node.get_closest_marker("expected_errors") is not None:
        yield
        return
    log = _ErrorLog()
    logging.getLogger().addHandler(log)
    yield
    logging.getLogger().removeHandler(log)
    if log.messages:
        pytest.fail("errors were logged:\n" + "\n".join(log.messages), pytrace=False)


@pytest.fixture
def errors_collected() -> Iterator[None]:
    """A fenced producer of aiokafka leaves a future whose error is logged when it is collected: not in the
    next test."""
    yield
    gc.collect()


def _server_folder() -> Path:
    """Return a new short folder that every account may pass through (PostgreSQL does not run as root)."""
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """Return a folder in which a test may run servers of its own; removed after."""
    folder = _server_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka_server() -> AsyncIterator[EmbeddedKafka]:
    """Return the session's broker, running."""
    folder = _server_folder()
    defaults = Settings()
    server = EmbeddedKafka(folder, cache_dir=defaults.cache_dir, maven_url=defaults.maven_url, heap_mib=512)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server() -> AsyncIterator[EmbeddedPostgres]:
    """Return the session's database server, running."""
    folder = _server_folder()
    server = EmbeddedPostgres(folder, durable=False)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kafka_bootstrap(kafka_server: EmbeddedKafka) -> str:
    """Return host:port of the session's broker."""
    return kafka_server.bootstrap


@pytest.fixture
def postgres_dsn(postgres_server: EmbeddedPostgres) -> str:
    """Return the connection string of the session's database server."""
    return postgres_server.dsn()


@pytest_asyncio.fixture(loop_scope="session")
async def database_dsn(postgres_server: EmbeddedPostgres) -> AsyncIterator[str]:
    """Return the connection string of a fresh, empty database; dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield await postgres_server.ensure_database(name)
    await postgres_server.drop_database(name)


@pytest.fixture
def broker_settings(kafka_bootstrap: str, tmp_path: Path) -> Settings:
    """Return settings with the session's broker and topic names of this test alone; no database."""
    return Settings(
        broker=kafka_bootstrap,
        topic_prefix=f"t{uuid.uuid4().hex[:8]}-",
        partitions=4,
        session_timeout_seconds=6.0,
        web_port=0,
        data_dir=tmp_path,
    )


@pytest.fixture
def settings(broker_settings: Settings, database_dsn: str) -> Settings:
    """Return ``broker_settings`` with a fresh database."""
    return broker_settings.model_copy(update={"metrics_dsn": SecretStr(database_dsn)})


@pytest_asyncio.fixture(loop_scope="session")
async def topics(broker_settings: Settings) -> AsyncIterator[Settings]:
    """Create every topic of the test's prefix; all topics of the prefix are deleted after the test.

    Ask for it beside ``settings`` or ``broker_settings``.
    """
    assert await ensure_topics(broker_settings) == []
    yield broker_settings
    admin = AIOKafkaAdminClient(**client_options(broker_settings))
    await admin.start()
    try:
        names = [n for n in await admin.list_topics() if n.startswith(broker_settings.topic_prefix)]
        await admin.delete_topics(names)
    finally:
        await admin.close()
