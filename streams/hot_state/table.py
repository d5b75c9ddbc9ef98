"""The hot state table: a keyed table over one partition of a compacted topic, written in transactions.

What a partition publishes (events, changed states and the position reached) is committed in one Kafka transaction,
so input, state and output are exactly-once for whoever reads committed records. The transaction is begun,
filled and committed in one go: an open one delays what others have committed. Opening the table fences the
partition's older owner.

Any error of the producer means that the state in memory is ahead of the log: the process must end and start
again from the recorded position, also where it still owns the partition (fenced does not mean reassigned).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.codec import has_zstd
from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition

from agents.ports import Checkpoint
from schemas.errors import ShutdownError
from streams.hot_state import position
from streams.kafka.clients import TRANSACTION_TIMEOUT_MS, client_options
from streams.settings import Settings
from streams.transport.identity import TopicIdentity, topic_identities

# Longer than a broker's restart takes as a rule; what is still unsent then is read and sent again.
_REQUEST_TIMEOUT_MS: Final = 15_000
_BATCH_BYTES: Final = 512 * 1024
_RESTORE_POLL_MS: Final = 500
# The broker answers one request of a connection after the other: what is asked beside a fetch that waits for
# data waits with it.
_RESTORE_WAIT_MS: Final = 10
_RESTORE_RECORDS: Final = 5000
_KNOWN_KEYS: Final = 16_384
# aiokafka compresses with cramjam where it is installed; its lz4 (level 9) takes 4 times as long, for more bytes.
_COMPRESSION: Final = "zstd" if has_zstd() else None

_Record = tuple[bytes, bytes | None, list[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class Restored:
    """Where to go on: the next offset of each input (topic without prefix, partition).

    ``fresh``: nothing was ever committed, so the positions are the beginnings of the topics.
    """

    positions: dict[tuple[str, int], int]
    extra: dict[str, Any]
    fresh: bool


class StateTable(Protocol):
    """The state of one partition and the position that it was made from; the errors are those of HotTable."""

    async def open(self, inputs: Iterable[tuple[str, int]], restore: Callable[[bytes, bytes], None]) -> Restored:
        """Fence an older owner, give every live record to ``restore``, and return where to go on."""

    async def checkpoint(
        self,
        checkpoint: Checkpoint,
        positions: Mapping[tuple[str, int], int],
        extra: Mapping[str, Any],
    ) -> None:
        """Commit outputs, states and positions, all or nothing."""

    async def close(self) -> None:
        """Let go."""


class HotTable:
    """The state of one partition, in Kafka.

    Parameters
    ----------
    table_topic
        Compacted topic that holds the states, without the prefix of the settings.
    role
        Whose state it is; names the consumer group.
    partition
        Partition of ``table_topic``.
    transactional_id
        One writer of the partition at a time has it; default: group and partition.
    connect
        Makes the producer.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        table_topic: str,
        role: str,
        partition: int,
        transactional_id: str = "",
        connect: Callable[..., Any] = AIOKafkaProducer,
    ) -> None:
        self._connect = connect
        self._settings = settings
        self._group = settings.group(role)
        self._tp = TopicPartition(settings.topic(table_topic), partition)
        self._transactional_id = transactional_id or f"{self._group}-{partition}"
        self._producer: AIOKafkaProducer | None = None
        self._failed = False
        self._identities: dict[str, TopicIdentity] = {}
        self._partitions: dict[str, int] = {}

    async def open(self, inputs: Iterable[tuple[str, int]], restore: Callable[[bytes, bytes], None]) -> Restored:
        """Fence an older owner, give every live record to ``restore``, and return where to go on.

        Parameters
        ----------
        inputs
            The (topic without prefix, partition) that this state is made from.

        Raises
        ------
        ShutdownError
            The inputs are not those that the state was made from; the text names the repair.
        aiokafka.errors.KafkaError
            The broker is away.
        """
        inputs = list(inputs)
        self._producer = self._connect(
            transactional_id=self._transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            max_batch_size=_BATCH_BYTES,
            compression_type=_COMPRESSION,
            **client_options(self._settings),
        )
        await self._producer.start()
        reader = AIOKafkaConsumer(
            # The default reset to the end, begun by assign(), would race with the seek: an empty restore, silently.
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
            group_id=None,
            fetch_max_wait_ms=_RESTORE_WAIT_MS,
            **client_options(self._settings),
        )
        await reader.start()
        try:
            # First of all: a topic that does not exist is an error here, and endless waiting elsewhere.
            topics = {topic for topic, _ in inputs}
            found = await topic_identities(reader, {self._tp.topic, *map(self._settings.topic, topics)})
            self._identities = {topic: found[self._settings.topic(topic)] for topic in topics}
            records = await self._read(reader)
            recorded = records.pop(position.POSITION_KEY, None)
            if recorded is None:
                restored = await self._start_anew(reader, inputs, bool(records))
            else:
                restored = await self._resume(reader, inputs, position.decode(recorded))
        finally:
            await reader.stop()
        for key, value in records.items():
            restore(key, value)
        return restored

    async def checkpoint(
        self,
        checkpoint: Checkpoint,
        positions: Mapping[tuple[str, int], int],
        extra: Mapping[str, Any],
    ) -> None:
        """Commit outputs, states and ``positions`` (next offsets by topic and partition) in one transaction.

        Raises
        ------
        aiokafka.errors.KafkaError
            Nothing of it counts, and this table is of no use any more: end the process.
        """
        if self._producer is None:
            raise RuntimeError("the table is not open")
        if self._failed:
            raise ShutdownError("an earlier checkpoint failed: what is in memory is ahead of the log")
        self._failed = True
        batches: dict[TopicPartition, list[_Record]] = {}
        for output in checkpoint.outputs:
            tp = await self._partition_of(output.topic, output.key)
            batches.setdefault(tp, []).append((output.key, output.value, list(output.headers)))
        records: list[_Record] = [(key, value, []) for key, value in checkpoint.states]
        records.append((position.POSITION_KEY, position.encode(positions, self._identities, extra), []))
        batches.setdefault(self._tp, []).extend(records)
        await self._producer.begin_transaction()
        await asyncio.gather(*(self._send(tp, batches[tp]) for tp in batches))
        await self._producer.commit_transaction()
        self._failed = False

    async def close(self) -> None:
        """Let go of the connections; what was not committed is lost, as it must be."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _read(self, reader: AIOKafkaConsumer) -> dict[bytes, bytes]:
        """Return the newest value of each key; tombstones and what transactions aborted are left out."""
        reader.assign([self._tp])
        await reader.seek_to_beginning(self._tp)
        end = (await reader.end_offsets([self._tp]))[self._tp]
        live: dict[bytes, bytes] = {}
        while await reader.position(self._tp) < end:
            fetched = await reader.getmany(timeout_ms=_RESTORE_POLL_MS, max_records=_RESTORE_RECORDS)
            for record in fetched.get(self._tp, ()):
                if record.value is None:
                    live.pop(record.key, None)
                else:
                    live[record.key] = record.value
        return live

    async def _start_anew(
        self, reader: AIOKafkaConsumer, inputs: list[tuple[str, int]], has_states: bool
    ) -> Restored:
        committed = await self._committed(inputs)
        if has_states or committed:
            what = f"states in {self._tp.topic}" if has_states else f"offsets of group {self._group}"
            raise ShutdownError(
                f"{self._tp.topic} partition {self._tp.partition} has no position (__pos__), but there are "
                f"{what}: the state topic was recreated or lost records. To start anew, {self._repair()}"
            )
        beginnings = await self._offsets(reader.beginning_offsets, inputs)
        return Restored(beginnings, {}, fresh=True)

    async def _resume(
        self, reader: AIOKafkaConsumer, inputs: list[tuple[str, int]], recorded: position.Position
    ) -> Restored:
        known = {
            (topic, partition): offset
            for topic, one in recorded.inputs.items()
            for partition, offset in one.offsets.items()
            if topic in self._identities
        }
        ends = await self._offsets(reader.end_offsets, list(known))
        for topic, one in recorded.inputs.items():
            if topic in self._identities:
                by_partition = {partition: end for (name, partition), end in ends.items() if name == topic}
                position.verify(topic, one, self._identities[topic], by_partition, self._repair())
        added = await self._offsets(reader.beginning_offsets, [one for one in inputs if one not in known])
        return Restored({**known, **added}, dict(recorded.extra), fresh=False)

    async def _offsets(self, ask: Any, inputs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        if not inputs:
            return {}
        tps = {one: TopicPartition(self._settings.topic(one[0]), one[1]) for one in inputs}
        offsets = await ask(list(tps.values()))
        return {one: offsets[tp] for one, tp in tps.items()}

    async def _committed(self, inputs: list[tuple[str, int]]) -> bool:
        """Tell whether the group has processed anything of ``inputs``."""
        admin = AIOKafkaAdminClient(**client_options(self._settings))
        await admin.start()
        try:
            tps = [TopicPartition(self._settings.topic(topic), partition) for topic, partition in inputs]
            offsets = await admin.list_consumer_group_offsets(self._group, partitions=tps)
        finally:
            await admin.close()
        return any(one.offset > 0 for one in offsets.values())

    def _repair(self) -> str:
        return (
            f"stop the role, delete the topic {self._tp.topic} (kafka-topics.sh --delete) and the group "
            f"{self._group} (kafka-consumer-groups.sh --delete), and start again: the states are made anew "
            "from what the input still holds, and what is published of that is history"
        )

    async def _partition_of(self, topic: str, key: bytes) -> TopicPartition:
        if topic not in self._partitions:
            assert self._producer is not None
            found = await self._producer.partitions_for(self._settings.topic(topic))
            self._partitions[topic] = len(found)
        return TopicPartition(self._settings.topic(topic), _hash_of(key) % self._partitions[topic])

    async def _send(self, tp: TopicPartition, records: list[_Record]) -> None:
        """Send in batches built here: a fifth of the price of sending record by record."""
        assert self._producer is not None
        batch = self._producer.create_batch()
        sent = []
        for key, value, headers in records:
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                sent.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=headers)
        sent.append(await self._producer.send_batch(batch, tp.topic, partition=tp.partition))
        await asyncio.gather(*sent)


@lru_cache(_KNOWN_KEYS)
def _hash_of(key: bytes) -> int:
    """Return Kafka's hash of a key: 10 us in Python, and a GPU has several records at a time."""
    hashed: int = murmur2(key) & 0x7FFFFFFF
    return hashed
