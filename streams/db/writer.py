"""Gathers records of all topics and stores them; says which offsets are safe to commit."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final

import msgspec

from agents.store.raw_rows import METRICS_TABLE, LabelMemory, sample_row
from agents.store.rows import EVENT_TABLES, Row, RowMaker, UnreadableRecord
from schemas.dead_letter import PAYLOAD_LIMIT_BYTES, DeadLetter, Reason
from schemas.errors import InvalidMessage
from schemas.ids import digest
from schemas.sample import CLOCK_AHEAD_SECONDS, to_sample
from schemas.shapes import Shapes
from schemas.times import format_time
from schemas.topics import METRICS_RAW
from streams.db.copy import (
    DATABASE_ERRORS,
    BatchTooLarge,
    DatabaseUnavailable,
    RowRefused,
    RowsMissing,
    days_of,
    sort_error,
    store_rows,
)
from streams.db.files import queries
from streams.db.pool import Connection, connect

log = logging.getLogger(__name__)

Position = tuple[str, int]
# Rows of one transaction, until the database is too slow for as many.
LARGEST_BATCH: Final = 10_000
_DEAD_LETTERS: Final = next(RowMaker(t) for t in EVENT_TABLES if t.record is DeadLetter)


@dataclass(slots=True)
class Record:
    """One consumed record; ``topic`` lacks the prefix of the settings, ``time_ms`` is the broker's."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None


_connect_writable: Final = partial(connect, writable=True)


class Writer:
    """Buffers rows, and stores them batch by batch.

    Not for concurrent use: the caller serialises :meth:`add`, :meth:`flush` and :meth:`drop`.

    Parameters
    ----------
    dsn
        Metrics database.
    raw_retention
        How long plain PostgreSQL keeps raw rows: younger days get a partition each.
    monotonic
        Clock for :meth:`age_seconds`.
    open_connection
        Opens a connection that takes writes to ``dsn``.

    Attributes
    ----------
    given, stored
        Rows that the database was given, and those of them that are new in it, by table.
    refused
        Rows that it will never take, by table; each is a dead letter.
    unreadable
        Records that are no rows, by topic.

    The caller clears the counts.
    """

    def __init__(
        self,
        dsn: str,
        raw_retention: timedelta,
        monotonic: Callable[[], float],
        *,
        open_connection: Callable[[str], Awaitable[Connection]] = _connect_writable,
    ) -> None:
        self._dsn = dsn
        self._open_connection = open_connection
        self._raw_retention = raw_retention
        self._monotonic = monotonic
        self._makers = {table.topic: RowMaker(table) for table in EVENT_TABLES}
        self._shapes = Shapes()
        self._labels = LabelMemory()
        self._rows: dict[str, list[tuple[Record, tuple[Any, ...]]]] = {}
        self._offsets: dict[Position, int] = {}
        self._oldest: float | None = None
        self._connection: Connection | None = None
        self._is_plain = False
        self._days: set[date] = set()
        self._batch_rows = LARGEST_BATCH
        self.given: Counter[str] = Counter()
        self.stored: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """Rows that wait."""
        return sum(map(len, self._rows.values()))

    def age_seconds(self) -> float:
        """Return how long the oldest record that is not safe yet has waited; 0 with none."""
        return 0.0 if self._oldest is None else self._monotonic() - self._oldest

    def add(self, record: Record) -> None:
        """Take one record; one that cannot be read is counted and passed over."""
        self._offsets[record.topic, record.partition] = record.offset + 1
        if self._oldest is None:
            self._oldest = self._monotonic()
        try:
            row = self._raw_row(record) if record.topic == METRICS_RAW else self._event_row(record)
        except (InvalidMessage, UnreadableRecord) as error:
            # What is wrong with a raw message is role score's to say, in a dead letter.
            self.unreadable[record.topic] += 1
            if record.topic != METRICS_RAW:
                log.warning("%s-%d@%d is not stored: %s", record.topic, record.partition, record.offset, error)
            return
        self._rows.setdefault(row.table, []).append((record, row.values))

    def _raw_row(self, record: Record) -> Row:
        append_time = record.time_ms / 1000
        raw, fitted = self._shapes.decode(record.key, record.value)
        sample = to_sample(raw, append_time, fitted)
        if sample.time > append_time + CLOCK_AHEAD_SECONDS:
            raise InvalidMessage(Reason.CLOCK_AHEAD, f"{sample.time - append_time:.0f} s ahead")
        return sample_row(sample, self._labels)

    def _event_row(self, record: Record) -> Row:
        if record.value is None:
            raise UnreadableRecord("the record has no value")
        return self._makers[record.topic].row(record.value)

    async def flush(self) -> dict[Position, int]:
        """Store all that waits; return the next offset of each (topic, partition) that is now safe to commit.

        Raises
        ------
        DatabaseUnavailable
            Part or nothing was stored; all offsets still wait, so call again later.
        """
        offsets = dict(self._offsets)
        try:
            for table in list(self._rows):
                await self._store(table, self._rows[table])
                del self._rows[table]
        except DatabaseUnavailable:
            # Also a healthy connection goes: after a failover it may lead to a server that takes no rows any more.
            await self._disconnect()
            raise
        self._offsets.clear()
        self._oldest = None
        return offsets

    async def _store(self, table: str, rows: list[tuple[Record, tuple[Any, ...]]]) -> None:
        """Store ``rows``, and take out of the list what is safe."""
        connection = await self._connected()
        if table == METRICS_TABLE and self._is_plain:
            await self._ensure_days(connection, days_of(values for _, values in rows))
        while rows:
            batch = rows[: self._batch_rows]
            try:
                await self._store_batch(connection, table, batch)
            except (BatchTooLarge, RowsMissing):
                self._batch_rows = max(1, len(batch) // 2)
                raise
            del rows[: len(batch)]
            self._batch_rows = min(2 * self._batch_rows, LARGEST_BATCH)

    async def _store_batch(
        self, connection: Connection, table: str, rows: Sequence[tuple[Record, tuple[Any, ...]]]
    ) -> None:
        batches = [rows]
        while batches:
            batch = batches.pop()
            try:
                stored = await store_rows(connection, table, [values for _, values in batch])
            except RowRefused as error:
                if len(batch) == 1:
                    await self._refuse(connection, table, batch[0][0], str(error))
                else:
                    half = len(batch) // 2
                    batches += [batch[half:], batch[:half]]
            else:
                self._count(table, len(batch), stored)

    async def _refuse(self, connection: Connection, table: str, record: Record, error: str) -> None:
        """One row that the database will never take: keep the record as a dead letter, and go on."""
        self.refused[table] += 1
        origin = f"{record.topic}-{record.partition}@{record.offset}"
        log.warning("%s refused the row of %s: %s", table, origin, error)
        payload = record.value or b""
        letter = DeadLetter(
            event_id=digest("refused by the database", record.topic, record.partition, record.offset),
            reason=Reason.REFUSED_BY_RECEIVER,
            detail=f"{table}: {error}"[:1000],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=None if record.key is None else record.key.decode("utf-8", "replace"),
            payload=b64encode(payload[:PAYLOAD_LIMIT_BYTES]).decode(),
            payload_bytes=len(payload),
            at=format_time(record.time_ms / 1000),
        )
        row = _DEAD_LETTERS.row(msgspec.json.encode(letter))
        try:
            self._count(row.table, 1, await store_rows(connection, row.table, [row.values]))
        except RowRefused as second:
            log.warning("the dead letter of %s was refused too: %s", origin, second)

    def _count(self, table: str, given: int, stored: int) -> None:
        self.given[table] += given
        self.stored[table] += stored
        if given > stored:
            # After a restart the last rows are read again. At any other time two rows had one key.
            log.info("%s: %d of %d rows were not stored, their keys are there already", table, given - stored, given)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            try:
                self._connection = await self._open_connection(self._dsn)
                self._is_plain = await queries("writes").is_plain(self._connection)
                if not self._is_plain:
                    await self._connection.execute(queries("writes").allow_decompression.sql)
            except DATABASE_ERRORS as error:
                raise DatabaseUnavailable(str(sort_error(error))) from error
            self._days.clear()
        return self._connection

    async def _ensure_days(self, connection: Connection, days: set[date]) -> None:
        if unknown := days - self._days:
            times = [datetime.combine(day, time(), UTC) for day in sorted(unknown)]
            oldest = datetime.now(UTC) - self._raw_retention
            try:
                await queries("writes").ensure_days(connection, days=times, oldest=oldest)
            except DATABASE_ERRORS as error:
                raise DatabaseUnavailable(str(sort_error(error))) from error
            self._days |= unknown

    def drop(self) -> None:
        """Forget all that waits: its offsets were not committed, so whoever owns the partitions reads it again."""
        self._rows.clear()
        self._offsets.clear()
        self._labels.clear()
        self._oldest = None

    async def close(self) -> None:
        """Close the connection; what waits is dropped."""
        self.drop()
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()
        self._connection = None

    async def _disconnect(self) -> None:
        """Cut the connection off; its server may be too ill for a farewell."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
