"""Role store's loop: read, store, then commit. Free of Faust, so that each step is plain to see.

Faust acknowledges by event and commits on a timer; here an offset may be committed only after its row is in,
over eleven topics at once and one transaction a table. One aiokafka consumer says exactly that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from agents.store.rows import EVENT_TABLES
from schemas.topics import METRICS_RAW
from streams.db.copy import DATABASE_ERRORS, DatabaseUnavailable, sort_error
from streams.db.maintenance import TIMEOUT_SECONDS, maintain, refresh_minutes
from streams.db.pool import connect, metrics_dsn
from streams.db.writer import Position, Record, Writer
from streams.kafka.clients import client_options
from streams.settings import Settings
from streams.telemetry.registry import Telemetry

log = logging.getLogger(__name__)

FLUSH_ROWS: Final = 5_000
FLUSH_SECONDS: Final = 0.5
_POLL_MS: Final = 200
_FIRST_DELAY_SECONDS: Final = 0.2
_LONGEST_DELAY_SECONDS: Final = 15.0
MINUTES_EVERY_SECONDS: Final = 15.0
RETENTION_EVERY_SECONDS: Final = 3_600.0

STORED_TOPICS: Final = (METRICS_RAW, *(table.topic for table in EVENT_TABLES))


class StoreLoop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Stores every record of the stored topics once, whatever stops in between.

    Parameters
    ----------
    settings
        Broker, database, prefix.
    stopping
        Tells whether to end; asked at least every second.
    telemetry
        Where rows, flushes and unreadable records are counted.
    """

    def __init__(self, settings: Settings, stopping: Callable[[], bool], telemetry: Telemetry) -> None:
        self._settings = settings
        self._stopping = stopping
        self._telemetry = telemetry
        retention = timedelta(days=settings.plain_raw_retention_days)
        self.writer = Writer(metrics_dsn(settings), retention, time.monotonic)
        # A rebalance comes from another task of the consumer: it must not cut into a flush.
        self._lock = asyncio.Lock()
        self._uncommitted: dict[Position, int] = {}
        self._consumer: Any = None
        self._assignments = 0
        self._counted: dict[str, int] = {}

    async def run(self) -> None:
        """Consume until told to stop; then store and commit what was read, if the database is there."""
        self._consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._settings.group("store"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=int(self._settings.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(self._settings.session_timeout_seconds * 1000 / 3),
            fetch_max_wait_ms=_POLL_MS,
        )
        self._consumer.subscribe([self._settings.topic(name) for name in STORED_TOPICS], listener=self)
        await self._consumer.start()
        try:
            while not self._stopping():
                await self._read(_POLL_MS)
                if self.writer.pending >= FLUSH_ROWS or self.writer.age_seconds() >= FLUSH_SECONDS:
                    await self._flush_until_done()
                elif self._uncommitted:
                    async with self._lock:
                        await self._commit()
            await self._hand_over()
        finally:
            await self._consumer.stop()
            await self.writer.close()

    async def _read(self, timeout_ms: int) -> None:
        room = max(1, FLUSH_ROWS - self.writer.pending)
        before = self._assignments
        batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=room)
        async with self._lock:
            if self._assignments == before:
                self._add(batches)
            else:
                await self._read_again(batches)

    async def _read_again(self, batches: Mapping[TopicPartition, list[ConsumerRecord]]) -> None:
        """Leave records whose read a rebalance cut into.

        Those from before it are read again by whoever owns their partition, from the committed offset on. The
        new assignment's first ones came with the same read: the position is behind them and must go back.
        """
        for partition, records in batches.items():
            if partition in self._consumer.assignment():
                first = records[0].offset
                if await self._consumer.position(partition) > first:
                    self._consumer.seek(partition, first)

    def _add(self, batches: Mapping[TopicPartition, Iterable[ConsumerRecord]]) -> None:
        prefix = len(self._settings.topic_prefix)
        for partition, records in batches.items():
            topic = partition.topic[prefix:]
            count = 0
            for count, record in enumerate(records, 1):  # noqa: B007
                self.writer.add(
                    Record(topic, partition.partition, record.offset, record.timestamp, record.key, record.value)
                )
            self._telemetry.records_in.labels(topic).inc(count)

    async def _flush_until_done(self) -> None:
        """Flush and commit; while the database is away, wait with growing pauses and read nothing."""
        delay = _FIRST_DELAY_SECONDS
        outage_since: float | None = None
        told = ""
        while True:
            async with self._lock:
                waiting = self.writer.pending
                try:
                    await self._flush()
                except DatabaseUnavailable as error:
                    if outage_since is None:
                        outage_since = time.monotonic()
                    if str(error) != told:
                        told = str(error)
                        log.warning("the database takes no rows, reading pauses until it does: %s", error)
                else:
                    break
            if self._stopping():
                return
            await self._idle(delay)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
        if outage_since is not None and waiting:  # with nothing to store the database was not asked
            log.warning("the database takes rows again after %.1f s", time.monotonic() - outage_since)
        self._consumer.resume(*self._consumer.paused())

    async def _flush(self) -> None:
        with self._telemetry.timed(self._telemetry.flush_seconds):
            offsets = await self.writer.flush()
        self._count()
        self._uncommitted.update(offsets)
        await self._commit()

    def _count(self) -> None:
        for counts, metric in (
            (self.writer.given, self._telemetry.rows_given),
            (self.writer.stored, self._telemetry.rows),
            (self.writer.refused, self._telemetry.rows_refused),
            (self.writer.unreadable, self._telemetry.unreadable),
        ):
            for label, count in counts.items():
                metric.labels(label).inc(count)
            counts.clear()

    async def _idle(self, seconds: float) -> None:
        """Wait, but go on polling: a consumer that does not poll for minutes is thrown out of its group."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping():
            self._consumer.pause(*self._consumer.assignment())
            await self._read(int(1000 * min(left, 1.0)))

    async def _commit(self) -> None:
        owned = self._consumer.assignment()
        offsets = {}
        for (topic, partition), offset in self._uncommitted.items():
            name = TopicPartition(self._settings.topic(topic), partition)
            if name in owned:
                offsets[name] = offset
        if offsets:
            try:
                await self._consumer.commit(offsets)
            except KafkaError as error:
                # The rows are in and storing them again changes nothing: only the offsets are late.
                log.warning("offsets are not committed yet: %r", error)
                return
        self._uncommitted.clear()

    async def _hand_over(self) -> None:
        """Store what was read, if that can be done at once, and forget it."""
        async with self._lock:
            try:
                await self._flush()
            except DatabaseUnavailable as error:
                log.warning("rows read but not stored are left to the next reader: %s", error)
            self.writer.drop()
            self._uncommitted.clear()
            self._assignments += 1

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Before the partitions go: whoever gets them starts at what is committed now."""
        if revoked:
            await self._hand_over()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing was read of them yet."""

    async def maintain(self, sleep: Callable[[float], Any]) -> None:
        """Keep partitions ahead, compute minutes, drop old rows, until told to stop; ``sleep`` ends early then."""
        retention_due = 0.0
        while not self._stopping():
            try:
                connection = await connect(
                    metrics_dsn(self._settings), command_timeout=TIMEOUT_SECONDS, writable=True
                )
                try:
                    if time.monotonic() >= retention_due:
                        report = await maintain(connection, self._settings)
                        retention_due = time.monotonic() + RETENTION_EVERY_SECONDS
                        if report is not None and report.partitions_dropped:
                            log.info("past their retention: %s", ", ".join(report.partitions_dropped))
                    else:
                        await refresh_minutes(connection, datetime.now(UTC))
                finally:
                    await connection.close()
            except DATABASE_ERRORS as error:
                log.warning("maintenance of the database waits: %s", sort_error(error))
            await sleep(MINUTES_EVERY_SECONDS)
