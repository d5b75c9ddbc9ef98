"""The session's servers are real, and answer."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.topics import METRICS_RAW
from streams.kafka.clients import client_options
from streams.settings import Settings


async def test_a_record_goes_through_the_broker(topics: Settings) -> None:
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    await producer.send_and_wait(topics.topic(METRICS_RAW), b"value", key=b"key")
    await producer.stop()
    consumer = AIOKafkaConsumer(topics.topic(METRICS_RAW), auto_offset_reset="earliest", **client_options(topics))
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    assert (record.key, record.value) == (b"key", b"value")
    assert record.timestamp_type == 1, "the raw topic must have the append time"


async def test_groups_and_transactions_are_served_at_once(topics: Settings) -> None:
    """A client that comes too early logs an error, and any logged error fails a test."""
    producer = AIOKafkaProducer(transactional_id=topics.group("test"), **client_options(topics))
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topics.topic(METRICS_RAW), b"value")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        topics.topic(METRICS_RAW),
        group_id=topics.group("test"),
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        **client_options(topics),
    )
    await consumer.start()
    assert (await consumer.getone()).value == b"value"
    await consumer.stop()


async def test_a_fresh_database_answers(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    assert await connection.fetchval("SHOW server_version_num") >= "180000"
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.close()
