"""Runs the logic of one partition: guard, process, clock, checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from agents.ports import Chunk, Clock, Output, PartitionLogic
from schemas.errors import ShutdownError
from streams.background import watched
from streams.hot_state.guard import Verdict, admit
from streams.hot_state.table import StateTable
from streams.transport.consumer_thread import PartitionEnd

log = logging.getLogger(__name__)

# An urgent checkpoint comes at once, but not more often than this: each costs 3 ms and a transaction marker.
_URGENT_GAP_SECONDS: Final = 0.1
# While a commit hangs (the broker is away), the logic must not pile up what waits for the next.
_SLOW_COMMIT_SECONDS: Final = 2.0
# Nothing was fetched for so long: what a GPU did meanwhile is not known.
FETCH_GAP_SECONDS: Final = 5.0


class Observer(Protocol):
    """Is told what a partition's work takes."""

    def chunk(self, records: int, elapsed_seconds: float) -> None:
        """``records`` were processed."""

    def checkpoint(self, outputs: Sequence[Output], elapsed_seconds: float) -> None:
        """A transaction was committed."""

    def restored(self, elapsed_seconds: float) -> None:
        """The partition was fenced and its state read."""


class PartitionRunner:
    """One owned partition.

    Parameters
    ----------
    fail
        Called with the error that ends the process.
    observer
        Told what the work takes; None: nobody.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        logic: PartitionLogic,
        table: StateTable,
        *,
        interval_seconds: float,
        clock: Clock,
        fail: Callable[[BaseException], None],
        observer: Observer | None = None,
    ) -> None:
        self._input = (topic, partition)
        self.logic = logic
        self._table = table
        self._interval = interval_seconds
        self._clock = clock
        self._fail = fail
        self._observer = observer
        self.position = -1
        self.committed = -1
        self.partition_time = 0.0
        self._reset_due = True
        self._fetched_at = 0.0
        self._wake = asyncio.Event()
        self._closing = False
        # Stays true where the logic raised (a bug): half a chunk must never be committed.
        self._processing = False
        self._commit = asyncio.Lock()
        self._commit_since = 0.0
        self._pacer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Fence the older owner, restore the state, and begin to write checkpoints."""
        began = self._clock.monotonic()
        restored = await self._table.open([self._input], self.logic.restore)
        self.logic.restored(restored.extra, restored.fresh)
        self.position = self.committed = restored.positions[self._input]
        if restored.fresh:
            # What the topic holds by now is history; nothing is known whose deadlines could start afresh later.
            self._reset(self._clock.time())
        if self._observer is not None:
            self._observer.restored(self._clock.monotonic() - began)
        name = f"checkpoints of partition {self._input[1]}"
        self._pacer = watched(self._pace(), name, fail=self._fail, closing=lambda: self._closing)

    @property
    def commit_hangs(self) -> bool:
        """Whether a commit takes so long that nothing more is to be processed on top of it."""
        return bool(self._commit_since) and self._clock.monotonic() - self._commit_since > _SLOW_COMMIT_SECONDS

    def take(self, chunk: Chunk) -> int | None:
        """Process ``chunk``; return the offset to read again from where something is missing before it."""
        admission = admit(chunk, self.position)
        if admission.verdict is Verdict.HOLE:
            log.info(
                "Partition %d: offset %d came where %d was due; reading again",
                self._input[1],
                chunk.first_offset,
                self.position,
            )
            return self.position
        if admission.chunk is None:
            return None
        if chunk.first_offset > self.position:
            log.warning(
                "Partition %d: offsets %d to %d are gone from the log (retention)",
                self._input[1],
                self.position,
                chunk.first_offset - 1,
            )
        taken = admission.chunk
        if taken.times_ms:
            if self._reset_due:
                self._reset(taken.times_ms[0] / 1000)
            self._process(taken)
            self.partition_time = max(self.partition_time, taken.times_ms[-1] / 1000)
        self.position = taken.next_offset
        if self.logic.urgent:
            self._wake.set()
        return None

    def tick(self, end: PartitionEnd | None) -> None:
        """Move the partition's clock; call about once a second.

        The clock is the append time read up to; where all is read, the time of the last successful fetch, as
        this machine tells it (broker and workers are taken to be synchronised by NTP). A broker that is away
        answers no fetch, so the clock stands still.
        """
        if end is not None:
            if self._fetched_at and end.fetched_at - self._fetched_at > FETCH_GAP_SECONDS:
                self._reset_due = True
            self._fetched_at = max(self._fetched_at, end.fetched_at)
            if self.position >= end.position >= end.highwater:
                self.partition_time = max(self.partition_time, end.fetched_at)
        if not self.partition_time:
            return
        if self._reset_due:
            self._reset(self.partition_time)
        self.logic.advance(self.partition_time)
        if self.logic.urgent:
            self._wake.set()

    async def checkpoint(self) -> None:
        """Commit what the logic publishes and changed, if anything."""
        async with self._commit:
            if not self.logic.dirty and self.position == self.committed:
                return
            if self._processing:
                raise ShutdownError("the logic failed within a chunk: its state is not committed")
            self._commit_since = self._clock.monotonic()
            reached = self.position
            extra = self.logic.position_extra()
            checkpoint = self.logic.drain()
            await self._table.checkpoint(checkpoint, {self._input: reached}, extra)
            self.committed = reached
            if self._observer is not None:
                self._observer.checkpoint(checkpoint.outputs, self._clock.monotonic() - self._commit_since)
            self._commit_since = 0.0

    async def close(self, *, commit: bool = True) -> None:
        """Write the last checkpoint and let the partition go."""
        self._closing = True
        self._wake.set()
        if self._pacer is not None:
            await asyncio.wait([self._pacer])
        if commit:
            await self.checkpoint()
        await self._table.close()

    def _process(self, chunk: Chunk) -> None:
        began = self._clock.monotonic()
        self._processing = True
        self.logic.process(chunk)
        self._processing = False
        if self._observer is not None:
            self._observer.chunk(len(chunk.values), self._clock.monotonic() - began)

    def _reset(self, clock: float) -> None:
        self._reset_due = False
        self.logic.reset_deadlines(clock)

    async def _pace(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await self.checkpoint()
                await asyncio.sleep(min(_URGENT_GAP_SECONDS, self._interval))
