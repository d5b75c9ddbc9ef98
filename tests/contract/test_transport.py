"""What the transport promises on a real broker; fails where the private names it uses change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from time import monotonic

from aiokafka import AIOKafkaProducer
from faust.types import TP

from agents.ports import Chunk
from schemas.topics import EVENTS, METRICS_RAW
from streams.kafka.clients import client_options
from streams.settings import Settings
from streams.transport.app import HealthApp, create_app
from streams.transport.chunked import ChunkedConsumer
from streams.transport.fetched import CHUNK_RECORDS

_DEADLINE_SECONDS = 30.0


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for ``condition``."""
    deadline = monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert monotonic() < deadline, f"{what} did not happen within {_DEADLINE_SECONDS:.0f} s"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(app: HealthApp) -> AsyncIterator[HealthApp]:
    """Run ``app``."""
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@asynccontextmanager
async def producing(settings: Settings, transactional_id: str = "") -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer."""
    producer = AIOKafkaProducer(transactional_id=transactional_id or None, **client_options(settings))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


class Chunks:
    """Takes what the transport yields."""

    def __init__(self) -> None:
        self.taken: list[Chunk] = []
        self.act: Callable[[Chunk], Awaitable[None]] | None = None

    async def take(self, chunk: Chunk) -> None:
        """Keep a chunk."""
        self.taken.append(chunk)
        if self.act is not None:
            await self.act(chunk)

    def values(self, partition: int) -> list[bytes | None]:
        """Return the values of a partition in the order of delivery."""
        return [value for chunk in self.taken if chunk.partition == partition for value in chunk.values]


async def test_chunks_cover_the_log_and_hold_what_was_stored(topics: Settings) -> None:
    """Keys, append times, the header and the offsets, in chunks of at most a thousand that touch each other."""
    raw = topics.topic(METRICS_RAW)
    total = 2 * CHUNK_RECORDS + 300
    async with producing(topics) as producer:
        for number in range(total):
            headers = [("rekeyed", b"1")] if number % 7 == 0 else []
            await producer.send(raw, key=b"k", value=b"%d" % number, partition=1, headers=headers)
        await producer.flush()
        app = create_app("score", topics)
        chunks = Chunks()
        app.read_chunks(METRICS_RAW, chunks.take)
        async with running(app):
            await until(lambda: len(chunks.values(1)) == total, "delivery")
    taken = chunks.taken
    assert chunks.values(1) == [b"%d" % number for number in range(total)]
    assert {chunk.partition for chunk in taken} == {1}
    assert all(len(chunk.values) <= CHUNK_RECORDS for chunk in taken)
    assert taken[0].follows == -1
    for before, after in pairwise(taken):
        assert after.first_offset == before.next_offset == after.follows
    assert [offset for chunk in taken for offset in chunk.offsets] == list(range(total))
    assert all(key == b"k" for chunk in taken for key in chunk.keys)
    rekeyed = [flag for chunk in taken for flag in chunk.rekeyed]
    assert rekeyed == [number % 7 == 0 for number in range(total)]
    times = [time for chunk in taken for time in chunk.times_ms]
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000


async def test_what_a_transaction_aborted_is_not_seen(topics: Settings) -> None:
    """In chunks: the aborted record and the markers take offsets, and no chunk holds them."""
    raw = topics.topic(METRICS_RAW)
    async with producing(topics, f"{topics.topic_prefix}x") as producer:
        for value, keep in ((b"committed", True), (b"aborted", False), (b"again", True), (b"last-aborted", False)):
            await producer.begin_transaction()
            await producer.send_and_wait(raw, key=b"k", value=value, partition=0)
            await (producer.commit_transaction() if keep else producer.abort_transaction())
        app = create_app("score", topics)
        chunks = Chunks()
        app.read_chunks(METRICS_RAW, chunks.take)
        async with running(app):
            # Four records and four markers.
            await until(lambda: any(chunk.next_offset == 8 for chunk in chunks.taken), "reading to the end")
            consumer = app.consumer
            assert isinstance(consumer, ChunkedConsumer)
            end = consumer.partition_end(TP(raw, 0))
            assert end is not None
            assert (end.position, end.highwater) == (8, 8)
            first = end.fetched_at

            def fetched_again() -> bool:
                now = consumer.partition_end(TP(raw, 0))
                return now is not None and now.fetched_at > first

            await until(fetched_again, "an empty fetch")
    assert chunks.values(0) == [b"committed", b"again"]


async def test_message_by_message_topics_are_read_committed(topics: Settings) -> None:
    """Roles that read no chunks do not see what was aborted either."""
    events = topics.topic(EVENTS)
    async with producing(topics, f"{topics.topic_prefix}x") as producer:
        for value, keep in ((b"aborted", False), (b"committed", True)):
            await producer.begin_transaction()
            await producer.send_and_wait(events, key=b"k", value=value, partition=0)
            await (producer.commit_transaction() if keep else producer.abort_transaction())
        app = create_app("notify", topics)
        seen: list[bytes] = []

        async def take(stream: object) -> None:
            async for value in stream:  # type: ignore[attr-defined]
                seen.append(value)

        app.agent(app.topic(events, value_serializer="raw", key_serializer="raw"))(take)
        async with running(app):
            await until(lambda: bool(seen), "delivery")
    assert seen == [b"committed"]


async def read_ten_and_six_again(topics: Settings) -> Chunks:
    """Take the ten records of partition 0, and after a seek those from offset 4 once more."""
    app = create_app("score", topics)
    chunks = Chunks()
    app.read_chunks(METRICS_RAW, chunks.take)
    async with running(app):
        await until(lambda: len(chunks.values(0)) == 10, "delivery")
        consumer = app.consumer
        assert isinstance(consumer, ChunkedConsumer)
        await consumer.seek_chunks(TP(topics.topic(METRICS_RAW), 0), 4)
        await until(lambda: len(chunks.values(0)) == 16, "delivery again")
    return chunks


async def test_a_seek_reads_again_and_says_so(topics: Settings) -> None:
    """After a seek the next chunk starts there and follows nothing."""
    raw = topics.topic(METRICS_RAW)
    async with producing(topics) as producer:
        for number in range(10):
            await producer.send_and_wait(raw, key=b"k", value=b"%d" % number, partition=0)
    chunks = await read_ten_and_six_again(topics)
    again = [chunk for chunk in chunks.taken if chunk.follows == -1][-1]
    assert (again.first_offset, again.values[0]) == (4, b"4")


async def test_a_position_within_a_batch_cuts_what_is_before_it(topics: Settings) -> None:
    """The broker sends the whole batch; its earlier records are not delivered again."""
    raw = topics.topic(METRICS_RAW)
    async with producing(topics) as producer:
        batch = producer.create_batch()
        for number in range(10):
            assert batch.append(key=b"k", value=b"%d" % number, timestamp=None, headers=[]) is not None
        await (await producer.send_batch(batch, raw, partition=0))
    chunks = await read_ten_and_six_again(topics)
    again = chunks.taken[-1]
    assert (again.first_offset, again.next_offset, again.follows) == (4, 10, -1)
    assert list(again.offsets) == [4, 5, 6, 7, 8, 9]
    assert again.values == [b"4", b"5", b"6", b"7", b"8", b"9"]
    assert list(again.offsets[2:]) == [6, 7, 8, 9]


async def test_nothing_is_created_on_the_broker(topics: Settings) -> None:
    """No reply, leader or changelog topic of Faust's."""
    app = create_app("score", topics)
    app.read_chunks(METRICS_RAW, Chunks().take)
    async with producing(topics) as producer:
        before = await producer.client.fetch_all_metadata()
        async with running(app):
            await until(lambda: bool(app.consumer.assignment()), "assignment")
        after = await producer.client.fetch_all_metadata()
    mine = topics.topic_prefix
    assert {t for t in after.topics() if mine in t} == {t for t in before.topics() if mine in t}
