"""Exporter to raw topic: the command as a user runs it, keys, partitions, and a broker that is not there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord

from collectors.scrape import Exporter
from schemas.raw import RawMessage, decode
from schemas.topics import METRICS_RAW
from streams.feeding.collecting import run_collect
from streams.feeding.producer import BrokerUnreachable, RawProducer
from streams.kafka.clients import client_options
from streams.settings import Settings

SCRAPE = "".join(f'DCGM_FI_DEV_GPU_TEMP{{gpu="{gpu}",UUID="GPU-{gpu}"}} {60 + gpu}\n' for gpu in range(8))


@pytest_asyncio.fixture
async def exporter_url() -> AsyncIterator[str]:
    """Return the address of an exporter with eight GPUs."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=SCRAPE)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    await runner.cleanup()


async def read(settings: Settings, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    consumer = AIOKafkaConsumer(settings.topic(METRICS_RAW), auto_offset_reset="earliest", **client_options(settings))
    await consumer.start()
    records: list[ConsumerRecord[bytes, bytes]] = []
    try:
        async with asyncio.timeout(30.0):
            while len(records) < count:
                for found in (await consumer.getmany(timeout_ms=500)).values():
                    records.extend(found)
    finally:
        await consumer.stop()
    return records


async def test_the_command_puts_one_message_a_gpu_under_its_key(topics: Settings, exporter_url: str) -> None:
    exporters = [Exporter(exporter_url, "n1")]
    code = await run_collect(topics, exporters, interval_seconds=10.0, once=True, to_stdout=False)
    assert code == 0
    records = await read(topics, 9)
    found: dict[str, RawMessage] = {}
    for record in records:
        assert record.value is not None
        message = decode(record.value)
        found[message.gpu_id] = message
        assert record.key == message.gpu_id.encode()
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % topics.partitions
    assert sorted(found) == [*(f"GPU-{gpu}" for gpu in range(8)), "host:n1"]
    assert found["GPU-3"].metrics == {"DCGM_FI_DEV_GPU_TEMP": 63.0}
    assert found["host:n1"].metrics["gpu_count"] == 8.0


@pytest.mark.expected_errors
async def test_a_failed_scrape_still_sends_the_heartbeat(topics: Settings) -> None:
    exporters = [Exporter("http://127.0.0.1:1/metrics", "n1")]
    code = await run_collect(topics, exporters, interval_seconds=10.0, once=True, to_stdout=False)
    assert code == 1
    (record,) = await read(topics, 1)
    assert record.value is not None
    message = decode(record.value)
    assert (message.gpu_id, message.metrics["exporter_up"]) == ("host:n1", 0.0)


@pytest.mark.expected_errors
@pytest.mark.parametrize("broker", ["", "127.0.0.1:1"])
async def test_no_broker_is_said_at_the_start(broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    exporters = [Exporter("http://127.0.0.1:1/metrics", "n1")]
    settings = Settings(broker=broker)
    assert await run_collect(settings, exporters, interval_seconds=1.0, once=True, to_stdout=False) == 1
    assert "GPU_HEALTH_BROKER" in capsys.readouterr().err


async def test_a_broker_without_the_topic_is_said_too(broker_settings: Settings) -> None:
    producer = RawProducer(broker_settings)
    with pytest.raises(BrokerUnreachable, match=r"has no topic .*gpu-metrics-raw"):
        await producer.start()


async def test_the_producer_keeps_order_and_counts_what_the_broker_refuses(topics: Settings) -> None:
    producer = RawProducer(topics, buffer_bytes=20_000)
    await producer.start()
    try:
        await producer.send((b"GPU-1", b"%d" % number) for number in range(5_000))
        await producer.send([(b"GPU-1", b"x" * 5_000_000)])
        assert await producer.flush(30.0)
    finally:
        await producer.stop()
    assert (producer.sent, producer.refused, producer.dropped) == (5_001 - 1, 1, 0)
    records = await read(topics, 5_000)
    assert [record.value for record in records] == [b"%d" % number for number in range(5_000)]


async def test_a_full_buffer_drops_the_oldest_and_counts_them(topics: Settings) -> None:
    producer = RawProducer(topics, buffer_bytes=10)
    await producer.start()
    try:
        await producer.offer((b"k", b"%04d" % number) for number in range(100))
        assert await producer.flush(30.0)
    finally:
        await producer.stop()
    assert producer.dropped == 98
    assert [record.value for record in await read(topics, 2)] == [b"0098", b"0099"]


async def test_the_simulator_sends_history_and_live(topics: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from streams.cli.simulate import command; command()",
        *("--gpus", "8", "--history", "10m", "--duration", "10s", "--faults", "none"),
        env={"GPU_HEALTH_BROKER": topics.broker, "GPU_HEALTH_TOPIC_PREFIX": topics.topic_prefix, "PATH": ""},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    records = await read(topics, 8 * 61 + 1)
    messages = [decode(record.value) for record in records]
    assert sum((message.labels or {}).get("history") == "true" for message in messages) == 8 * 60
    assert {(message.labels or {})["simulated"] for message in messages} == {"true"}
