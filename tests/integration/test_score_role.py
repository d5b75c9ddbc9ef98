"""Role score whole, on a real broker, in this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic, time
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from schemas.times import format_time
from schemas.topics import DEAD_LETTER, HEALTH_SCORES, METRICS_RAW, STATUS
from streams.kafka.clients import client_options
from streams.roles.score import build
from streams.settings import Settings
from tests.chaos.truth import read_topic

METRICS = {
    "DCGM_FI_DEV_GPU_TEMP": 61,
    "DCGM_FI_DEV_MEM_TEMP": 68.0,  # names that DCGM never had, as the guide wrote them
    "DCGM_FI_DEV_POWER_LIMIT": 700.0,
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 4,
    "DCGM_FI_DEV_POWER_USAGE": 300.0,
    "DCGM_FI_DEV_GPU_UTIL": 95,
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0,
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 0,
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
}


def message(gpu_id: str, at: float) -> bytes:
    """Return a message in the guide's own format: a naive time, which is UTC."""
    return orjson.dumps(
        {"timestamp": format_time(at).rstrip("Z"), "gpu_id": gpu_id, "host_id": "h1", "metrics": METRICS}
    )


async def records(settings: Settings, topic: str) -> list[dict[str, Any]]:
    """Return the committed records of a topic."""
    return [orjson.loads(record.value) async for record in read_topic(settings, topic) if record.value]


async def wait_for(settings: Settings, topic: str, count: int) -> list[dict[str, Any]]:
    """Wait until ``topic`` holds ``count`` records."""
    deadline = monotonic() + 40.0
    while True:
        found = await records(settings, topic)
        if len(found) >= count:
            return found
        assert monotonic() < deadline, f"{len(found)} of {count} records in {topic}"
        await asyncio.sleep(0.2)


@asynccontextmanager
async def scoring(settings: Settings) -> AsyncIterator[None]:
    """Run the role."""
    app = build(settings)
    await app.start()
    try:
        yield
    finally:
        await app.stop()
    assert not app.failed


async def test_messages_are_scored_whatever_their_key(topics: Settings) -> None:
    """No key, or another partitioner's partition: sent on once, scored once; what cannot be read is a dead
    letter; a restart scores nothing again."""
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    raw = topics.topic(METRICS_RAW)
    gpus = [f"GPU-{number}" for number in range(12)]
    now = time()
    for number, gpu in enumerate(gpus):
        key = gpu.encode() if number % 3 else None
        await producer.send_and_wait(raw, key=key, value=message(gpu, now), partition=number % 4)
    await producer.send_and_wait(raw, value=b"{", partition=2)
    async with scoring(topics):
        scores = await wait_for(topics, HEALTH_SCORES, 12)
        await wait_for(topics, DEAD_LETTER, 1)
    rekeyed = [record async for record in read_topic(topics, METRICS_RAW) if record.headers]
    async with scoring(topics):
        await producer.send_and_wait(raw, key=b"GPU-99", value=message("GPU-99", now + 10.0))
        again = await wait_for(topics, HEALTH_SCORES, 13)
    await producer.stop()
    assert {one["gpu_id"] for one in scores} == set(gpus)
    assert {one["gpu_id"] for one in again} == {*gpus, "GPU-99"}
    assert max(Counter(one["event_id"] for one in again).values()) == 1
    letters = await records(topics, DEAD_LETTER)
    assert [(one["reason"], one["partition"]) for one in letters] == [("not_json", 2)]
    assert {record.headers[0][0] for record in rekeyed} == {"rekeyed"}
    assert len({record.key for record in rekeyed}) == len(rekeyed) > 0
    statuses = await records(topics, STATUS)
    assert {one["gpu_id"] for one in statuses} == {*gpus, "GPU-99"}
    assert {one["values"]["memory_temp_celsius"] for one in statuses} == {68.0}
    assert {one["overall_score"] for one in scores} == {100}
