"""Faust's aiokafka transport, read committed, with one event for all that a fetch brought of a partition.

A plain Faust agent pays about 300 microseconds of Faust for each message. On the topics named as chunked, the
transport yields :class:`streams.transport.fetched.Fetched` instead of messages, so that this price is paid once
a fetch; the app unpacks it into :class:`agents.ports.Chunk` of up to 1,000 records.

Faust's bookkeeping of acknowledgements is not used on chunked topics (``acks=False``), and delivery by Faust
is not relied on: chunks vanish when a rebalance clears queues or pauses partitions. Each chunk therefore tells
the part of the log that it covers, without holes, and whoever keeps the position finds out what is missing
(:mod:`streams.hot_state.guard`).

Private names of Faust and aiokafka are used in this folder alone (``make check`` looks); both are pinned, and the
contract tests of the transport fail where they change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, cast

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, ConsumerMessage

from streams.transport.consumer_thread import ChunkedConsumerThread, PartitionEnd
from streams.transport.decompress import keep_buffers
from streams.transport.fetched import Fetched


class _ReadOffsets(defaultdict[TP, int | None]):
    """Faust's note of the last offset delivered, by which it drops what is delivered again.

    On chunked topics the owner decides that, and a note left by a chunk from before a seek would drop what
    was sought.
    """

    def __init__(self, chunked: frozenset[str]) -> None:
        super().__init__(lambda: None)
        self._chunked = chunked

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        if tp.topic not in self._chunked:
            super().__setitem__(tp, offset)


class ChunkedConsumer(Consumer):
    """The consumer of a role; ``chunked`` are the broker's names of the topics it reads in chunks."""

    chunked: ClassVar[frozenset[str]] = frozenset()
    _thread: ChunkedConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _ReadOffsets(self.chunked)
        self._positions: Callable[[], Mapping[TP, int]] = dict

    def _new_consumer_thread(self) -> ChunkedConsumerThread:
        return ChunkedConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def keep_positions(self, positions: Callable[[], Mapping[TP, int]]) -> None:
        """Let ``positions`` tell where each owned chunked partition stands."""
        self._positions = positions

    def positions(self) -> Mapping[TP, int]:
        """Return where each owned chunked partition stands."""
        return self._positions()

    async def seek_chunks(self, tp: TP, offset: int) -> None:
        """Read a chunked partition again from ``offset``."""
        await self._thread.seek_chunks(tp, offset)

    async def commit_positions(self, positions: Mapping[TP, int]) -> bool:
        """Commit group offsets, for displays of lag only; tell whether all of them are."""
        return await self._thread.commit_positions(positions)

    def partition_end(self, tp: TP) -> PartitionEnd | None:
        """Return how far the client has read ``tp``, and its end."""
        return self._thread.partition_end(tp)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Fetched):
            return super()._to_message(tp, record)
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=record.start,
            timestamp=0.0,
            timestamp_type=1,
            headers=None,
            key=None,
            value=cast(bytes, record),  # The raw codec lets it through to the agent as it is.
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    # A full queue of an agent blocks the fetch loop, which is all the back-pressure that chunks need; Faust's
    # way, taking the partition out of the fetch, waits a whole second once all are out.
    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing on a chunked topic."""
        if tp.topic not in self.chunked:
            super().on_buffer_full(tp)

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing on a chunked topic."""
        if tp.topic not in self.chunked:
            super().on_buffer_drop(tp)


def transport_class(chunked: Iterable[str]) -> type[Transport]:
    """Return the transport of an app that reads these topics (the broker's names) in chunks."""
    keep_buffers()

    class _Consumer(ChunkedConsumer):
        pass

    _Consumer.chunked = frozenset(chunked)

    class _Transport(Transport):
        Consumer = _Consumer

    return _Transport
