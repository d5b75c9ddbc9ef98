"""What is said of a GPU is the same from the stream, from an offline replay, and from the database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.ports import Output
from collectors.recordings import read_recording
from schemas.raw import decode
from schemas.times import format_time
from schemas.topics import (
    ALERTS,
    EVENTS,
    HEALTH_SCORES,
    HOURS,
    METRICS_RAW,
    RECOMMENDATIONS,
    RISK_SCORES,
)
from streams.db.migrate import migrate
from streams.db.pool import Pool, open_pool
from streams.db.read_raw import raw_messages
from streams.kafka.clients import client_options
from streams.offline.replay import OfflineReplay
from streams.roles.store_loop import StoreLoop
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from tests.chaos.truth import read_topic
from tests.recorded import scrapes, traces

SAID = {
    HEALTH_SCORES: "gpu_health_scores",
    RISK_SCORES: "gpu_risk_scores",
    HOURS: "gpu_hours",
    EVENTS: "gpu_events",
    ALERTS: "gpu_alerts",
    RECOMMENDATIONS: "gpu_recommendations",
}
FAULTS = "ecc_uncorrected@0@600,hot_gpu@1@0,ecc_trend@2@0,throttling@3@900,remap_failed@4@1200"
DEADLINE_SECONDS = 30.0

Said = Counter[tuple[str, bytes]]


def simulated() -> list[bytes]:
    """Return 75 minutes of five faulty GPUs, an hour's change within, in time order."""
    start = format_time(time.time() // 3600 * 3600 - 5400.0)
    arguments = ["simulate", "--gpus", "5", "--start", start, "--duration", "75m", "--faults", FAULTS, "--stdout"]
    done = subprocess.run([sys.executable, "-m", "streams", *arguments], capture_output=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith(b"{")]


def recorded() -> list[bytes]:
    """Return every recorded scrape, and each tenth row of every recorded trace of eight GPUs."""
    messages: list[bytes] = []
    for path in scrapes():
        messages += read_recording(path, at=1_770_638_400.0)
    for path in traces():
        messages += (value for index, value in enumerate(read_recording(path)) if index // 8 % 10 == 0)
    return messages


def offline(messages: Iterable[bytes]) -> Said:
    return said(OfflineReplay().run(messages))


def said(outputs: Iterable[Output]) -> Said:
    return Counter(
        (output.topic, orjson.dumps(orjson.loads(output.value or b"null"), option=orjson.OPT_SORT_KEYS))
        for output in outputs
        if output.topic in SAID and not open_gap(output)
    )


def open_gap(output: Output) -> bool:
    """Tell whether it is the silence that a recording ends with, of a GPU or (told by notify) of a host."""
    return output.topic == ALERTS and orjson.loads(output.value or b"{}")["rule"] in ("gpu_missing", "host_missing")


async def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def scoring(settings: Settings, folder: Path) -> AsyncIterator[None]:
    """Run role score as a process; it owns its partitions before anything is sent to it."""
    log = folder / "score.log"
    command = [sys.executable, "-m", "streams", "worker", "--role", "score"]
    with log.open("wb") as out:
        worker = subprocess.Popen(  # noqa: ASYNC220 - it only starts
            command, env={**os.environ, **settings.environment()}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            await until(lambda: "Owned partitions" in log.read_text(), "the worker's start")
            yield
            assert worker.poll() is None, log.read_text()[-3000:]
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(worker.wait, 30) == 0, log.read_text()[-3000:]
        finally:
            worker.kill()
            worker.wait()


async def send(settings: Settings, messages: Iterable[bytes]) -> int:
    count = 0
    async with AIOKafkaProducer(**client_options(settings), linger_ms=5) as producer:
        for value in messages:
            await producer.send(settings.topic(METRICS_RAW), value, decode(value).gpu_id.encode())
            count += 1
        await producer.flush()
    return count


async def scored(settings: Settings, count: int) -> None:
    """Wait until role score has committed ``count`` messages."""
    reader = AIOKafkaConsumer(**client_options(settings), group_id=settings.group("score"), enable_auto_commit=False)
    await reader.start()
    try:
        partitions = [TopicPartition(settings.topic(METRICS_RAW), number) for number in range(settings.partitions)]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while sum([await reader.committed(tp) or 0 for tp in partitions]) < count:
            assert time.monotonic() < deadline, "not all messages were scored in time"
            await asyncio.sleep(0.2)
    finally:
        await reader.stop()


async def from_topics(settings: Settings) -> Said:
    outputs = [
        Output(topic, record.key or b"", record.value)
        for topic in SAID
        async for record in read_topic(settings, topic)
    ]
    return said(outputs)


async def from_stream(settings: Settings, messages: list[bytes], folder: Path) -> Said:
    async with scoring(settings, folder):
        await scored(settings, await send(settings, messages))
    return await from_topics(settings)


async def stored_all(pool: Pool, messages: int, told: Counter[str]) -> None:
    """Wait until every message and every record is in the database."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    wanted = {table: told[topic] for topic, table in SAID.items()}
    while True:
        found = {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in wanted}
        rows = await pool.fetchval(
            "SELECT (SELECT count(*) FROM gpu_health_metrics) + (SELECT count(*) FROM gpu_raw_events)"
        )
        if rows == messages and found == wanted:
            return
        assert time.monotonic() < deadline, f"{rows} of {messages} messages, {found} of {wanted}"
        await asyncio.sleep(0.2)


async def test_stream_offline_and_database_say_the_same(settings: Settings, topics: Settings, tmp_path: Path) -> None:
    messages = simulated()
    expected = offline(messages)
    told = Counter(topic for topic, _ in expected.elements())
    assert min(told[topic] for topic in SAID) > 0, told
    streamed = await from_stream(settings, messages, tmp_path)
    assert streamed - expected == Counter()
    assert expected - streamed == Counter()

    await migrate(settings)
    stopping = asyncio.Event()
    store = StoreLoop(settings, stopping.is_set, Telemetry("store"))
    storing = asyncio.create_task(store.run())
    try:
        async with await open_pool(settings.metrics_dsn.get_secret_value()) as pool:
            await stored_all(pool, len(messages), told)
            for topic, table in SAID.items():
                ids = {row["event_id"] for row in await pool.fetch(f"SELECT event_id FROM {table}")}
                assert ids == {orjson.loads(value)["event_id"] for one, value in expected if one == topic}
            first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
            stored = [value async for value in raw_messages(pool, first, last)]
    finally:
        stopping.set()
        await storing
    assert offline(stored) == expected


async def test_recordings_of_real_machines_say_the_same(settings: Settings, topics: Settings, tmp_path: Path) -> None:
    messages = recorded()
    expected = offline(messages)
    streamed = await from_stream(settings, messages, tmp_path)
    assert streamed - expected == Counter()
    assert expected - streamed == Counter()
