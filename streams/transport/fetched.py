"""What a fetch brought of a partition: the broker's batches, unpacked into chunks where they are processed.

To take record by record through aiokafka's generator costs 2 us a record, and a backlog that is unpacked ahead
fills the memory. aiokafka's own rules still decide which batches count and where the position stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, overload

from aiokafka.structs import TopicPartition

from agents.ports import Chunk
from schemas.topics import REKEYED_HEADER

CHUNK_RECORDS: Final = 1000
_offset: Final = attrgetter("offset")
_key: Final = attrgetter("key")


class _Batches:
    """What was fetched of a partition as aiokafka reads it, batch by batch instead of record by record."""

    __slots__ = ("_records", "has_next")

    def __init__(self, records: Any) -> None:
        self._records = records
        self.has_next = records.has_next

    def next_batch(self) -> _Batch:
        return _Batch(self._records.next_batch())


class _Batch:
    """A batch that is its own only record: aiokafka's rules for transactions and positions see no difference."""

    __slots__ = ("_batch", "offset")

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self.offset: int = batch.next_offset - 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Batch]:
        return iter((self,))

    def __next__(self) -> Any:  # the marker of a control batch
        return next(self._batch)

    def unpack(self, start: int) -> list[Any]:
        """Return the records from offset ``start``; call once."""
        records = list(self._batch)
        if records and records[0].offset < start:  # a fetch that begins within a batch is sent the whole of it
            return [record for record in records if record.offset >= start]
        return records


def leave_packed(result: Any) -> None:
    """Let what was fetched yield whole batches, which whoever processes them unpacks."""
    fetched = getattr(result, "_partition_records", None)
    if fetched is not None and type(fetched._records) is not _Batches:
        fetched._records = _Batches(fetched._records)
        fetched._records_iterator = fetched._unpack_records()
        fetched._consumer_record = _as_read


def _as_read(tp: TopicPartition, batch: _Batch) -> _Batch:
    return batch


class Fetched:
    """What one fetch brought of a partition, still packed: the log from ``start`` to ``end`` without a hole.

    There may be no record in it: transaction markers and aborted records take offsets too. It is unpacked
    chunk by chunk where it is processed, while it is in that core's cache, and a backlog waits compressed.
    """

    __slots__ = ("_batches", "end", "follows", "start", "tp")

    def __init__(self, tp: TopicPartition, batches: Sequence[_Batch], start: int, end: int, follows: int) -> None:
        self.tp = tp
        self.start = start
        self.end = end
        self.follows = follows
        self._batches = deque(batches)

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks that together cover the whole; once."""
        start, follows, batches = self.start, self.follows, self._batches
        rows: list[Any] = []
        while batches:
            batch = batches.popleft()
            rows += batch.unpack(start)
            if batches and len(rows) >= CHUNK_RECORDS:
                for chunk in cut(self.tp, rows, start, batch.offset + 1, follows):
                    yield chunk
                    start = follows = chunk.next_offset
                rows = []
        yield from cut(self.tp, rows, start, self.end, follows)


def cut(tp: TopicPartition, rows: Sequence[Any], start: int, end: int, follows: int) -> Iterator[Chunk]:
    """Cut records into chunks that together cover the log from ``start`` to ``end`` without a hole."""
    for index in range(0, len(rows) or 1, CHUNK_RECORDS):
        some = rows[index : index + CHUNK_RECORDS]
        following = end if index + CHUNK_RECORDS >= len(rows) else some[-1].offset + 1
        yield Chunk(
            topic=tp.topic,
            partition=tp.partition,
            first_offset=start,
            next_offset=following,
            follows=follows,
            offsets=_Column(some, _offset),
            times_ms=[row.timestamp for row in some],
            keys=_Column(some, _key),
            values=[row.value for row in some],
            rekeyed=_Column(some, _rekeyed),
        )
        start = follows = following


def _rekeyed(row: Any) -> bool:
    return any(name == REKEYED_HEADER for name, _ in row.headers)


class _Column(Sequence[Any]):
    """One field of some records, read where it is asked for: most chunks are asked for values and times alone."""

    __slots__ = ("_field", "_rows")

    def __init__(self, rows: Sequence[Any], field: Callable[[Any], Any]) -> None:
        self._rows = rows
        self._field = field

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return _Column(self._rows[index], self._field)
        return self._field(self._rows[index])
