"""Role store on a real broker and a real database: offsets follow rows, whatever stops in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import ALERTS, EVENTS, METRICS_RAW
from streams.db.migrate import migrate
from streams.db.pool import Connection, connect
from streams.embedded.ports import free_port
from streams.kafka.clients import client_options
from streams.roles.store_loop import StoreLoop
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from tests.integration.db.conftest import Databases
from tests.integration.db.feeding import raw
from tests.unit.agents.view.records import ALERT, EVENT

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
DEADLINE_SECONDS = 40.0

pytestmark = pytest.mark.usefixtures("topics")


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def coordinator(broker_settings: Settings) -> None:
    """A fresh broker makes its topic of offsets at the first question, and is not ready meanwhile."""
    admin = AIOKafkaAdminClient(**client_options(broker_settings))
    await admin.start()

    async def ready() -> bool:
        try:
            await admin.list_consumer_group_offsets(broker_settings.group("store"))
        except KafkaError:
            return False
        return True

    await until(ready)
    await admin.close()


@pytest_asyncio.fixture(loop_scope="session")
async def database(settings: Settings) -> AsyncIterator[Connection]:
    await migrate(settings)
    connection = await connect(settings.metrics_dsn.get_secret_value())
    yield connection
    await connection.close()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.05)


async def send(settings: Settings, topic: str, values: Iterable[tuple[str, bytes]], *, abort: bool = False) -> None:
    transactional = {"transactional_id": f"{settings.topic_prefix}sender"} if abort else {}
    async with AIOKafkaProducer(**client_options(settings), **transactional) as producer:
        if abort:
            await producer.begin_transaction()
        for key, value in values:
            await producer.send(settings.topic(topic), value, key=key.encode())
        await producer.flush()
        if abort:
            await producer.abort_transaction()


def samples(count: int, first: int = 0, gpus: int = 20) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for number in range(first, first + count):
        gpu_id = f"GPU-{number % gpus}"
        record = raw(NOW + timedelta(milliseconds=number), gpu_id)
        assert record.value is not None
        found.append((gpu_id, record.value))
    return found


async def committed(settings: Settings, topic: str) -> int:
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=settings.group("store"))
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.topic(topic), number) for number in range(settings.partitions)]
        return sum([await consumer.committed(partition) or 0 for partition in partitions])
    finally:
        await consumer.stop()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[StoreLoop]:
    stop = asyncio.Event()
    loop = StoreLoop(settings, stop.is_set, Telemetry("store"))
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_SECONDS)


async def crash(settings: Settings, when: Callable[[], Awaitable[bool]]) -> None:
    """Run a loop, and cut it off without any farewell."""
    loop = StoreLoop(settings, lambda: False, Telemetry("store"))
    task = asyncio.create_task(loop.run())
    await until(when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def counting(database: Connection, expected: int, table: str = "gpu_health_metrics") -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return bool(await database.fetchval(f"SELECT count(*) >= {expected} FROM {table}"))

    return reached


async def test_a_quiet_stream_is_stored_and_committed(settings: Settings, database: Connection) -> None:
    await send(settings, METRICS_RAW, samples(1))
    await send(settings, ALERTS, [("GPU-0", msgspec.json.encode(ALERT))])
    async with running(settings):
        await until(counting(database, 1))
        await until(counting(database, 1, "gpu_alerts"))
    assert await committed(settings, METRICS_RAW) == 1
    assert await committed(settings, ALERTS) == 1


async def test_a_backlog_is_stored_once_and_bad_records_hold_nothing_up(
    settings: Settings, database: Connection
) -> None:
    bad = [("GPU-0", b"{"), ("GPU-1", b"\xff\x00")]
    await send(settings, METRICS_RAW, [*samples(6_000), *bad, *samples(6_000, first=6_000), *samples(100)])
    bad_event = msgspec.structs.replace(EVENT, event_id="bad", code=2**63)
    await send(settings, EVENTS, [("GPU-0", msgspec.json.encode(event)) for event in (bad_event, EVENT)])
    async with running(settings):
        await until(counting(database, 12_000))
        await until(counting(database, 1, "gpu_events"))
    assert await database.fetchval("SELECT count(*) FROM gpu_health_metrics") == 12_000
    assert await database.fetchval("SELECT count(*) FROM gpu_dead_letters") == 1
    assert await committed(settings, METRICS_RAW) == 12_102


async def test_an_aborted_record_is_never_a_row(settings: Settings, database: Connection) -> None:
    await send(settings, ALERTS, [("GPU-0", msgspec.json.encode(ALERT))], abort=True)
    after = msgspec.structs.replace(ALERT, event_id="after")
    await send(settings, ALERTS, [("GPU-0", msgspec.json.encode(after))])
    async with running(settings):
        await until(counting(database, 1, "gpu_alerts"))
    assert await database.fetchval("SELECT array_agg(event_id) FROM gpu_alerts") == ["after"]


async def test_while_the_database_is_away_nothing_is_committed_and_nothing_lost(
    settings: Settings, database: Connection, databases: Databases
) -> None:
    name = await database.fetchval("SELECT current_database()")
    server = await connect(databases.server_dsn())
    async with running(settings) as loop:
        await send(settings, METRICS_RAW, samples(10))
        await until(counting(database, 10))
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await send(settings, METRICS_RAW, samples(12_000, first=10))

        async def waiting() -> bool:
            return loop.writer.pending > 0 and loop.writer.age_seconds() > 2.0

        await until(waiting)
        assert loop.writer.pending <= 10_000  # reading pauses
        assert await committed(settings, METRICS_RAW) == 10
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        back = await connect(settings.metrics_dsn.get_secret_value())
        await until(counting(back, 12_010))
        await back.close()
    await server.close()
    assert await committed(settings, METRICS_RAW) == 12_010


async def test_a_crash_loses_nothing(settings: Settings, database: Connection) -> None:
    await send(settings, METRICS_RAW, samples(20_000))
    await crash(settings, counting(database, 1))
    assert await database.fetchval("SELECT count(*) FROM gpu_health_metrics") < 20_000
    async with running(settings):
        await until(counting(database, 20_000))
    assert await database.fetchval("SELECT count(*) FROM gpu_health_metrics") == 20_000


async def test_workers_that_come_and_go_store_every_record(settings: Settings, database: Connection) -> None:
    sent = 0
    async with running(settings):
        for _ in range(3):
            await send(settings, METRICS_RAW, samples(3_000, first=sent))
            sent += 3_000
            async with running(settings):
                await send(settings, METRICS_RAW, samples(3_000, first=sent))
                sent += 3_000
                await until(counting(database, sent - 2_000))
        await until(counting(database, sent))
    assert await database.fetchval("SELECT count(*) FROM gpu_health_metrics") == sent
    assert await committed(settings, METRICS_RAW) == sent


async def test_the_role_runs_as_a_faust_app_and_leaves_in_order(
    settings: Settings, database: Connection, databases: Databases
) -> None:
    await send(settings, METRICS_RAW, samples(100))
    port = free_port()
    environment = dict(os.environ) | {
        "GPU_HEALTH_BROKER": settings.broker,
        "GPU_HEALTH_TOPIC_PREFIX": settings.topic_prefix,
        "GPU_HEALTH_METRICS_DSN": settings.metrics_dsn.get_secret_value(),
        "GPU_HEALTH_DATA_DIR": str(settings.data_dir),
        "GPU_HEALTH_METRICS_PORT": str(port),
    }
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", "worker", "--role", "store"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await until(counting(database, 100))
        if databases.kind == "plain":
            await until(counting(database, 3, "pg_inherits WHERE inhparent = 'gpu_health_metrics'::regclass"))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as response,
        ):
            assert 'gpu_health_rows_written_total{table="gpu_health_metrics"} 100.0' in await response.text()
        worker.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(worker.communicate(), DEADLINE_SECONDS)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert worker.returncode == 0, output.decode()
    assert b"Traceback" not in output
    assert await committed(settings, METRICS_RAW) == 100


async def test_an_error_of_the_program_ends_the_maintenance(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError("away"), TypeError("a wrong argument")]

    async def broken(*_: object) -> None:
        raise faults.pop(0)

    async def sleep(_: float) -> None:
        return None

    await migrate(settings)
    monkeypatch.setattr("streams.roles.store_loop.maintain", broken)
    with pytest.raises(TypeError, match="a wrong argument"):
        await StoreLoop(settings, lambda: False, Telemetry("store")).maintain(sleep)
    assert faults == []
