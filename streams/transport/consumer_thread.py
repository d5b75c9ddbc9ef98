"""The thread that owns the aiokafka consumer: what it fetches, where it seeks, how far it has read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import aiokafka
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.transport.fetched import Fetched, leave_packed

if TYPE_CHECKING:
    from streams.transport.chunked import ChunkedConsumer

log = logging.getLogger(__name__)

# The broker answers a fetch when it has 100 kB or after 25 ms: an alert waits 12 ms on average, and 1,000
# messages a second are 40 fetches, not 1,000.
_FETCH_WAIT_MS: Final = 25
_FETCH_MIN_BYTES: Final = 100_000
# Of a partition, compressed: telemetry grows tenfold and more, and a backlog of many partitions must fit into
# memory. A message that is larger is sent all the same.
_FETCH_PARTITION_BYTES: Final = 262_144
# What a fetch of a topic that is read message by message waits for the first byte (roles view, notify).
_PLAIN_FETCH_WAIT_MS: Final = 500
_REASSIGNMENT_WAIT_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """How far the client has read a partition, and what the broker said of its end.

    ``fetched_at`` is this machine's time of the last successful fetch, epoch seconds.
    """

    position: int
    highwater: int
    fetched_at: float


class ChunkedConsumerThread(AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    consumer: ChunkedConsumer

    def __post_init__(self) -> None:
        super().__post_init__()
        # Where the last fetch of a partition ended; one that starts elsewhere follows a seek.
        self._reached: dict[TopicPartition, int] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads committed records only in its own exactly_once mode, which never commits.
        consumer._isolation_level = "read_committed"
        if self.consumer.chunked:
            consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
            consumer._fetch_min_bytes = _FETCH_MIN_BYTES
            consumer._max_partition_fetch_bytes = _FETCH_PARTITION_BYTES
        else:
            consumer._fetch_max_wait_ms = _PLAIN_FETCH_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        if not self.consumer.chunked:
            records = await super()._fetch_records(
                consumer, active_partitions, timeout=timeout, max_records=max_records
            )
            return dict(records)
        fetcher = consumer._fetcher
        deadline = monotonic() + (timeout or 0.0)
        with fetcher._subscriptions.fetch_context():
            while self.consumer.flow_active and active_partitions:
                if consumer._closed or fetcher._closed:
                    raise ConsumerStoppedError
                if fetcher._subscriptions.reassignment_in_progress:
                    await asyncio.sleep(_REASSIGNMENT_WAIT_SECONDS)
                    return {}
                found = await self._drain(fetcher, active_partitions)
                remaining = deadline - monotonic()
                if found or remaining <= 0:
                    return found
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=remaining)
                if not done:
                    waiter.cancel()
                    return {}
                waiter.result()  # Raises what the group coordinator refused.
        return {}

    async def _drain(self, fetcher: Any, active: set[TP]) -> dict[TP, list[Any]]:
        """Take what was fetched; chunked partitions packed, covering all that the position moved over.

        With a time-out of 0 and no reassignment in progress ``fetched_records`` does not give up control, so
        the positions before and after are exactly those of these records.
        """
        chunked = self.consumer.chunked
        assignment = fetcher._subscriptions.subscription.assignment
        states = {
            tp: assignment.state_value(tp)
            for tp in assignment.tps
            if tp.topic in chunked and tp in active and assignment.state_value(tp).has_valid_position
        }
        before = {tp: state.position for tp, state in states.items()}
        for tp in states:
            leave_packed(fetcher._records.get(tp))
        records = await fetcher.fetched_records(active, timeout=0)
        found: dict[TP, list[Any]] = {tp: rows for tp, rows in records.items() if tp.topic not in chunked}
        for tp, start in before.items():
            if not states[tp].has_valid_position or states[tp].position == start:
                continue
            end = states[tp].position
            follows = start if self._reached.get(tp) == start else -1
            self._reached[tp] = end
            found[TP(*tp)] = [Fetched(tp, records.get(tp, ()), start, end, follows)]
        return found

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the positions that the owner of the partitions knows; to committed offsets elsewhere.

        Faust calls this whenever it has thrown fetched records away.
        """
        offsets: Mapping[TP, int] = await self.call_thread(self._seek_to_known, self.consumer.positions())
        return offsets

    async def _seek_to_known(self, known: Mapping[TP, int]) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        rest = [tp for tp in assigned if tp not in known]
        offsets = dict(await consumer.seek_to_committed(*rest)) if rest else {}
        # Where nothing was committed yet aiokafka leaves the position where records thrown away have moved it.
        changelogs = self.consumer.app.tables.changelog_topics
        fresh = [tp for tp in rest if offsets[tp] is None and tp.topic not in changelogs]
        if fresh:
            await consumer.seek_to_beginning(*fresh)
        for tp, offset in known.items():
            if tp in consumer.assignment():
                consumer.seek(TopicPartition(*tp), offset)
                offsets[tp] = offset
        return offsets

    async def seek_chunks(self, tp: TP, offset: int) -> None:
        """Read a chunked partition again from ``offset``."""
        await self.call_thread(self._seek_chunks, TopicPartition(*tp), offset)

    async def _seek_chunks(self, tp: TopicPartition, offset: int) -> None:
        consumer = self._ensure_consumer()
        if tp in consumer.assignment():
            consumer.seek(tp, offset)

    async def commit_positions(self, positions: Mapping[TP, int]) -> bool:
        """Commit group offsets, which only displays of lag read; false where they are to be tried again."""
        return bool(await self.call_thread(self._commit_positions, positions))

    async def _commit_positions(self, positions: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        offsets = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in positions.items()
            if tp in consumer.assignment()
        }
        if not offsets:
            return False
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            log.info("Group offsets were not committed (only displays of lag read them): %r", error)
            return False
        return len(offsets) == len(positions)

    def partition_end(self, tp: TP) -> PartitionEnd | None:
        """Return how far ``tp`` was read; None before its first fetch. Safe from any thread."""
        state = self._state(tp)
        if state is None or not state.has_valid_position or state.highwater is None:
            return None
        return PartitionEnd(state.position, state.highwater, state.timestamp / 1000)

    def highwater(self, tp: TP) -> int:
        """Return the end of ``tp`` as last fetched; 0 where unknown (Faust's own raises in a rebalance)."""
        state = self._state(tp)
        return (state.highwater or 0) if state is not None else 0

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions of ``topic`` (the broker's name); None where the client knows it not.

        Faust asks the group's coordinator, whose notes a worker that joins a rebalance under way has not yet.
        """
        found = self._consumer.partitions_for_topic(topic) if self._consumer is not None else None
        return len(found) if found else None

    def _state(self, tp: TP) -> Any:
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        return assignment.state_value(tp) if assignment is not None else None

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave chunked topics alone: Faust's stall detector knows of acknowledged messages only."""
        if tp.topic not in self.consumer.chunked:
            super().verify_event_path(now, tp)
