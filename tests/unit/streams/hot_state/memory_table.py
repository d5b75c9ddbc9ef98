"""A hot table without a broker; `tests/contract/hot_table.py` holds it to what the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiokafka.errors import ProducerFenced

from agents.ports import Checkpoint, Output
from schemas.errors import ShutdownError
from streams.hot_state import position
from streams.hot_state.table import Restored
from streams.transport.identity import TopicIdentity


@dataclass(slots=True)
class MemoryLog:
    """What a broker would hold of one partition's table, its inputs and its outputs.

    ``ends`` is the end offset of each input partition; ``states`` and ``recorded`` are what is committed.
    """

    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    identities: dict[str, TopicIdentity] = field(default_factory=dict)
    states: dict[bytes, bytes] = field(default_factory=dict)
    recorded: bytes | None = None
    outputs: list[Output] = field(default_factory=list)
    owner: int = 0

    def create(self, topic: str, partitions: int = 1) -> None:
        """Create a topic, or create it again, empty."""
        self.identities[topic] = TopicIdentity(str(uuid4()), partitions)
        self.ends.update({(topic, partition): 0 for partition in range(partitions)})

    def reached(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Record that inputs were processed up to ``positions``, which they hold."""
        for (topic, partition), offset in positions.items():
            self.ends[topic, partition] = max(offset, self.ends[topic, partition])
        self.recorded = position.encode(positions, self.identities, {})


@dataclass(slots=True)
class MemoryTable:
    """One writer of a log; ``error`` and ``hanging`` make its next checkpoint fail or wait."""

    log: MemoryLog
    commits: list[tuple[Checkpoint, dict[tuple[str, int], int], dict[str, Any]]] = field(default_factory=list)
    error: BaseException | None = None
    hanging: asyncio.Event | None = None
    closed: bool = True
    epoch: int = 0
    failed: bool = False

    async def open(self, inputs: Iterable[tuple[str, int]], restore: Callable[[bytes, bytes], None]) -> Restored:
        """Become the owner, and read."""
        inputs, log = list(inputs), self.log
        log.owner += 1
        self.epoch, self.closed = log.owner, False
        if log.recorded is None:
            if log.states:
                raise ShutdownError("no position (__pos__), but there are states")
            restored = Restored(dict.fromkeys(inputs, 0), {}, fresh=True)
        else:
            restored = self._resume(inputs, position.decode(log.recorded))
        for key, value in log.states.items():
            restore(key, value)
        return restored

    def _resume(self, inputs: list[tuple[str, int]], recorded: position.Position) -> Restored:
        known: dict[tuple[str, int], int] = {}
        followed = {topic for topic, _ in inputs}
        for topic, one in recorded.inputs.items():
            if topic in followed:
                ends = {partition: end for (name, partition), end in self.log.ends.items() if name == topic}
                position.verify(topic, one, self.log.identities[topic], ends, "start anew")
                known |= {(topic, partition): offset for partition, offset in one.offsets.items()}
        return Restored({**dict.fromkeys(inputs, 0), **known}, dict(recorded.extra), fresh=False)

    async def checkpoint(
        self, checkpoint: Checkpoint, positions: Mapping[tuple[str, int], int], extra: Mapping[str, Any]
    ) -> None:
        """Commit, hang, or fail."""
        if self.closed:
            raise RuntimeError("the table is not open")
        if self.failed:
            raise ShutdownError("an earlier checkpoint failed: what is in memory is ahead of the log")
        self.failed = True
        if self.hanging is not None:
            await self.hanging.wait()
        if self.error is not None:
            raise self.error
        if self.epoch != self.log.owner:
            raise ProducerFenced
        self._commit(checkpoint, positions, extra)
        self.failed = False

    def _commit(
        self, checkpoint: Checkpoint, positions: Mapping[tuple[str, int], int], extra: Mapping[str, Any]
    ) -> None:
        for key, value in checkpoint.states:
            if value is None:
                self.log.states.pop(key, None)
            else:
                self.log.states[key] = value
        self.log.recorded = position.encode(positions, self.log.identities, extra)
        self.log.outputs += checkpoint.outputs
        self.commits.append((checkpoint, dict(positions), dict(extra)))

    async def close(self) -> None:
        """Let go."""
        self.closed = True
