"""The hot state table on a real broker: the contract, and what only a broker has."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from agents.ports import Checkpoint, Output
from schemas.errors import ShutdownError
from schemas.topics import ALERTS, METRICS_RAW, STATE, STATUS
from streams.embedded.kafka import EmbeddedKafka
from streams.hot_state.table import HotTable, Restored
from streams.kafka.clients import TRANSACTION_TIMEOUT_MS, client_options
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.chaos.truth import read_topic
from tests.contract.hot_table import RAW_0, HotTableContract


def table(settings: Settings, *, connect: Callable[..., Any] = AIOKafkaProducer) -> HotTable:
    """Return the table of partition 0 of role score; not opened."""
    return HotTable(settings, table_topic=STATE, role="score", partition=0, connect=connect)


class Tapped:
    """Connects tables, and keeps the producer that the last one was given."""

    def __init__(self) -> None:
        self.producer: AIOKafkaProducer | None = None

    def __call__(self, **options: Any) -> AIOKafkaProducer:
        """Connect; the broker ends what is left open after 30 s, twice what a slow restart of it takes."""
        assert options["transaction_timeout_ms"] == TRANSACTION_TIMEOUT_MS
        self.producer = AIOKafkaProducer(**options | {"transaction_timeout_ms": 30_000})
        return self.producer

    async def begin_half(self, settings: Settings, value: bytes) -> AIOKafkaProducer:
        """Begin a transaction with a state and an alert in it, and leave it open, as a crash would."""
        assert self.producer is not None
        await self.producer.begin_transaction()
        await self.producer.send_and_wait(settings.topic(STATE), key=b"a", value=value, partition=0)
        await self.producer.send_and_wait(settings.topic(ALERTS), key=b"a", value=value)
        return self.producer


@asynccontextmanager
async def opened(
    settings: Settings, *, connect: Callable[..., Any] = AIOKafkaProducer
) -> AsyncIterator[tuple[HotTable, Restored, dict[bytes, bytes]]]:
    """Open the table of partition 0."""
    states: dict[bytes, bytes] = {}
    hot = table(settings, connect=connect)
    try:
        restored = await hot.open([RAW_0], states.__setitem__)
        yield hot, restored, states
    finally:
        await hot.close()


async def fill_raw(settings: Settings, count: int, partition: int = 0) -> None:
    """Put ``count`` records into a partition of the raw topic."""
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for number in range(count):
        await producer.send(settings.topic(METRICS_RAW), key=b"k", value=b"%d" % number, partition=partition)
    await producer.stop()


async def aborted_by_broker(settings: Settings) -> None:
    """Wait until the one transaction in gpu-alerts has timed out: readers get past its marker then."""
    reader = AIOKafkaConsumer(isolation_level="read_committed", group_id=None, **client_options(settings))
    await reader.start()
    try:
        tp = TopicPartition(settings.topic(ALERTS), 0)
        deadline = monotonic() + 150.0
        while monotonic() < deadline:
            end = (await reader.end_offsets([tp]))[tp]
            if end >= 2:
                return
            await asyncio.sleep(0.1)
        pytest.fail(f"the broker did not end the transaction in time: readers get to {end}")
    finally:
        await reader.stop()


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def recreate(settings: Settings, name: str) -> None:
    """Delete a topic and create it again."""
    async with administering(settings) as admin:
        await admin.delete_topics([settings.topic(name)])
        for _ in range(100):
            if settings.topic(name) not in await admin.list_topics():
                break
            await asyncio.sleep(0.05)
    assert await ensure_topics(settings) == []


class KafkaGround:
    """Tables on a broker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def table(self) -> HotTable:
        """Return another writer of the partition."""
        return table(self._settings)

    async def fill_raw(self, count: int) -> None:
        """Send."""
        await fill_raw(self._settings, count)

    async def recreate_raw(self) -> None:
        """Delete, create."""
        await recreate(self._settings, METRICS_RAW)

    async def alerts(self) -> list[bytes | None]:
        """Read what is committed."""
        return [record.value async for record in read_topic(self._settings, ALERTS)]


class TestHotTable(HotTableContract):
    """The suite on Kafka."""

    @pytest.fixture
    def ground(self, topics: Settings) -> KafkaGround:
        """Return fresh topics."""
        return KafkaGround(topics)


async def test_outputs_lie_where_any_producer_would_put_them(topics: Settings) -> None:
    """Murmur2 of the key over each topic's own number of partitions; values, headers and tombstones whole."""
    outputs = [Output(STATUS, b"gpu-%d" % n, b"%d" % n, (("h", b"v"),)) for n in range(50)]
    outputs += [Output(ALERTS, b"gpu-%d" % n, b"%d" % n) for n in range(50)]
    async with opened(topics) as (hot, _, _):
        await hot.checkpoint(Checkpoint(outputs=outputs), {RAW_0: 0}, {})
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    try:
        statuses = [record async for record in read_topic(topics, STATUS)]
        for record in statuses:
            sent = await producer.send_and_wait(topics.topic(STATUS), key=record.key, value=b"x")
            assert sent.partition == record.partition
    finally:
        await producer.stop()
    assert Counter(record.value for record in statuses) == Counter(b"%d" % n for n in range(50))
    assert all(record.headers == (("h", b"v"),) for record in statuses)
    assert [record.value async for record in read_topic(topics, ALERTS)] == [b"%d" % n for n in range(50)]


async def test_a_checkpoint_larger_than_a_batch_is_whole(topics: Settings) -> None:
    """Two hundred states of 14 kB: several batches, one transaction, nothing missing."""
    wanted = {b"gpu-%d" % n: bytes([n]) * 14_000 for n in range(200)}
    async with opened(topics) as (hot, _, _):
        await hot.checkpoint(Checkpoint(states=list(wanted.items())), {RAW_0: 0}, {})
    async with opened(topics) as (_, _, states):
        assert states == wanted


async def test_a_transaction_that_a_crash_left_open_does_not_count(topics: Settings) -> None:
    """The next owner ends it before it reads; no reader ever sees it."""
    tapped = Tapped()
    async with opened(topics, connect=tapped) as (hot, _, _):
        await hot.checkpoint(Checkpoint(states=[(b"a", b"1")]), {RAW_0: 0}, {})
        await tapped.begin_half(topics, b"open")
        async with opened(topics) as (_, _, states):
            assert states == {b"a": b"1"}
    assert [record async for record in read_topic(topics, ALERTS)] == []


async def test_a_state_topic_of_many_rewrites_is_restored(topics: Settings) -> None:
    """Compaction, or not, between: what comes back is the last value of each key, and nothing deleted."""
    async with administering(topics) as admin:
        small = {"segment.ms": "200", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "200"}
        resource = ConfigResource(ConfigResourceType.TOPIC, topics.topic(STATE), configs=small)
        await admin.alter_configs([resource])
    async with opened(topics) as (hot, _, _):
        for version in range(120):
            states: list[tuple[bytes, bytes | None]] = [
                (b"gpu-%d" % n, b"%d of %d" % (version, n)) for n in range(100)
            ]
            if version == 119:
                states = [(key, None if key.endswith(b"7") else value) for key, value in states]
            await hot.checkpoint(Checkpoint(states=states), {RAW_0: 0}, {"version": version})
    async with opened(topics) as (_, restored, found):
        assert restored.extra == {"version": 119}
        assert found == {b"gpu-%d" % n: b"119 of %d" % n for n in range(100) if n % 10 != 7}


async def test_another_number_of_partitions_stops_the_worker(topics: Settings) -> None:
    """Keys lie elsewhere then: the text says what it was, and the repair."""
    async with opened(topics) as (hot, _, _):
        await hot.checkpoint(Checkpoint(), {RAW_0: 0}, {})
    async with administering(topics) as admin:
        await admin.create_partitions({topics.topic(METRICS_RAW): NewPartitions(6)})
        for _ in range(100):
            found = await admin.describe_topics([topics.topic(METRICS_RAW)])
            if len(found[0]["partitions"]) == 6:
                break
            await asyncio.sleep(0.05)
    with pytest.raises(ShutdownError, match=r"6 partitions.*made with 4.*kafka-topics.sh --delete"):
        async with opened(topics):
            pass


async def test_a_recreated_state_topic_stops_the_worker(topics: Settings) -> None:
    """The group has processed something, and no state tells of it."""
    await fill_raw(topics, 10)
    producer = AIOKafkaProducer(transactional_id=f"{topics.topic_prefix}t", **client_options(topics))
    await producer.start()
    async with producer.transaction():
        tp = TopicPartition(topics.topic(METRICS_RAW), 0)
        await producer.send_offsets_to_transaction({tp: 5}, topics.group("score"))
    await producer.stop()
    with pytest.raises(ShutdownError, match=r"no position.*recreated or lost"):
        async with opened(topics):
            pass


async def test_a_missing_topic_is_an_error(broker_settings: Settings) -> None:
    """Nothing is created on the way."""
    hot = table(broker_settings)
    with pytest.raises(UnknownTopicOrPartitionError):
        await asyncio.wait_for(hot.open([RAW_0], lambda key, value: None), 20)
    await hot.close()


@pytest.mark.expected_errors
@pytest.mark.usefixtures("errors_collected")
async def test_a_broker_killed_within_a_transaction(kafka_server: EmbeddedKafka, topics: Settings) -> None:
    """Killed -9 with a checkpoint half sent, and back after the transaction's time-out: the owner finds itself
    fenced, and what a new one reads is the checkpoint before."""
    tapped = Tapped()
    async with opened(topics, connect=tapped) as (hot, _, _):
        await hot.checkpoint(Checkpoint(states=[(b"a", b"1")]), {RAW_0: 0}, {})
        producer = await tapped.begin_half(topics, b"half")
        assert kafka_server.process is not None
        kafka_server.process.kill()
        await asyncio.to_thread(kafka_server.process.wait)
        await kafka_server.start()
        await aborted_by_broker(topics)
        assert [record async for record in read_topic(topics, ALERTS)] == []
        with pytest.raises(KafkaError):
            await producer.commit_transaction()
    async with opened(topics) as (_, _, states):
        assert states == {b"a": b"1"}
