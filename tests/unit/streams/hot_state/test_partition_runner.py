"""The runner of a partition, on a table in memory: when it commits, what it does with time, how it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import pytest
from aiokafka.errors import ProducerFenced

from agents.ports import Chunk
from schemas.errors import ShutdownError
from schemas.topics import METRICS_RAW
from streams.hot_state.partition_runner import PartitionRunner
from streams.transport.consumer_thread import PartitionEnd
from tests.chaos.counting import ALERT_EVERY, CountingLogic
from tests.unit.streams.hot_state.memory_table import MemoryLog, MemoryTable

INPUT = (METRICS_RAW, 0)


class HandClock:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        """Return epoch seconds."""
        return self.now

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now


@dataclass(slots=True)
class Bench:
    """A runner and what it works on."""

    runner: PartitionRunner
    table: MemoryTable
    logic: CountingLogic
    clock: HandClock
    failures: list[BaseException]


@asynccontextmanager
async def bench(
    *, interval: float = 0.05, position: int = 0, fresh: bool = False, start: bool = True
) -> AsyncIterator[Bench]:
    """Open a runner at ``position``."""
    log = MemoryLog()
    log.create(METRICS_RAW)
    if not fresh:
        log.reached({INPUT: position})
    table = MemoryTable(log)
    logic, clock, failures = CountingLogic(0), HandClock(), list[BaseException]()
    runner = PartitionRunner(
        METRICS_RAW,
        0,
        logic,
        table,
        interval_seconds=interval,
        clock=clock,
        fail=failures.append,
    )
    if start:
        await runner.open()
    yield Bench(runner, table, logic, clock, failures)
    await runner.close(commit=False)


def samples(first: int, count: int, *, follows: int = -1, time_ms: int = 500_000, key: bytes = b"k") -> Chunk:
    """Return a chunk of ``count`` samples."""
    return Chunk(
        topic=METRICS_RAW,
        partition=0,
        first_offset=first,
        next_offset=first + count,
        follows=follows,
        offsets=list(range(first, first + count)),
        times_ms=[time_ms] * count,
        keys=[key] * count,
        values=[b"1 x"] * count,
        rekeyed=[False] * count,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``."""
    deadline = monotonic() + 10.0
    while not condition():
        assert monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_what_was_processed_is_committed_with_its_position() -> None:
    """At the interval, once; nothing new, no checkpoint."""
    async with bench() as b:
        b.runner.take(samples(0, 7))
        await until(lambda: b.runner.committed == 7)
        assert [positions[INPUT] for _, positions, _ in b.table.commits] == [7]
        checkpoint = b.table.commits[0][0]
        assert [key for key, _ in checkpoint.states] == [b"k"]
        await b.runner.checkpoint()
        assert len(b.table.commits) == 1


async def test_an_alert_does_not_wait_for_the_interval() -> None:
    """With an hour between checkpoints it is said at once."""
    async with bench(interval=3600.0) as b:
        b.runner.take(samples(0, ALERT_EVERY))
        await until(lambda: bool(b.table.commits))
        assert len(b.table.commits[0][0].outputs) == 1


async def test_a_hole_is_read_again_and_a_repetition_is_not_counted_twice() -> None:
    """The runner names the offset to seek, and goes on from there."""
    async with bench(interval=3600.0) as b:
        assert b.runner.take(samples(0, 5)) is None
        assert b.runner.take(samples(9, 3, follows=9)) == 5
        assert b.runner.take(samples(3, 4)) is None
        assert b.runner.take(samples(0, 7)) is None
        assert b.runner.position == 7
        assert b.logic.states[b"k"] == (7, 7, 6)


async def test_the_last_checkpoint_is_written_on_close() -> None:
    """A revoked partition leaves nothing unsaid."""
    async with bench(interval=3600.0) as b:
        b.runner.take(samples(0, 3))
        await b.runner.close()
        assert [positions[INPUT] for _, positions, _ in b.table.commits] == [3]
        assert b.table.closed


async def test_any_error_of_the_table_ends_the_worker() -> None:
    """It is handed to whoever ends the process, and nothing more is tried."""
    async with bench() as b:
        b.table.error = ProducerFenced()
        b.runner.take(samples(0, 3))
        await until(lambda: bool(b.failures))
        assert isinstance(b.failures[0], ProducerFenced)
        assert b.table.commits == []


async def test_half_a_chunk_is_never_committed() -> None:
    """A bug of the logic surfaces, and what it left behind is not written."""
    async with bench(interval=3600.0) as b:
        bad = samples(0, 3)
        bad.values = [b"1 x", b"not a number", b"1 x"]
        with pytest.raises(ValueError):
            b.runner.take(bad)
        with pytest.raises(ShutdownError):
            await b.runner.checkpoint()
        assert b.table.commits == []


async def test_a_commit_that_takes_seconds_hangs() -> None:
    async with bench(interval=3600.0) as b:
        b.table.hanging = asyncio.Event()
        b.runner.take(samples(0, 3))
        commit = asyncio.create_task(b.runner.checkpoint())
        await asyncio.sleep(0)
        assert not b.runner.commit_hangs
        b.clock.now += 3.0
        assert b.runner.commit_hangs
        b.table.hanging.set()
        await asyncio.wait_for(commit, 5)
        assert not b.runner.commit_hangs


async def test_the_clock_is_the_append_time_read_up_to() -> None:
    """While there is more to read, the time of a fetch says nothing."""
    async with bench(interval=3600.0) as b:
        b.runner.take(samples(0, 5, time_ms=400_000))
        b.runner.tick(PartitionEnd(position=10, highwater=10, fetched_at=999.0))
        b.runner.tick(PartitionEnd(position=5, highwater=8, fetched_at=999.5))
        assert b.runner.partition_time == 400.0
        b.runner.tick(PartitionEnd(position=5, highwater=5, fetched_at=1000.0))
        assert b.runner.partition_time == 1000.0
        assert b.logic.clocks[-1] == 1000.0


async def test_a_broker_that_is_away_stops_the_clock() -> None:
    """No fetch, no time; when it is back, deadlines start afresh before any of them falls due."""
    async with bench(interval=3600.0) as b:
        b.runner.take(samples(0, 5, time_ms=999_000))
        b.runner.tick(PartitionEnd(5, 5, 1000.0))
        resets = len(b.logic.resets)
        for _ in range(5):
            b.runner.tick(PartitionEnd(5, 5, 1000.0))
        assert b.runner.partition_time == 1000.0
        b.runner.tick(PartitionEnd(5, 5, 1004.0))
        assert len(b.logic.resets) == resets
        b.runner.tick(PartitionEnd(5, 5, 1060.0))
        assert b.logic.resets[resets:] == [1060.0]


async def test_deadlines_start_afresh_after_an_assignment() -> None:
    """At the append time of the first sample; a partition without a position begins with history."""
    async with bench(interval=3600.0, position=3) as b:
        assert b.logic.resets == []
        b.runner.take(samples(3, 2, time_ms=700_000))
        b.runner.take(samples(5, 2, time_ms=710_000))
        assert b.logic.resets == [700.0]
        assert b.logic.fresh is False
    async with bench(interval=3600.0, fresh=True) as b:
        assert b.logic.fresh is True
        assert b.logic.resets == [1000.0]
        b.runner.take(samples(0, 2, time_ms=700_000))
        assert b.logic.resets == [1000.0]


async def test_offsets_without_records_move_the_position() -> None:
    """Transaction markers at the end of the log: all is read."""
    async with bench(interval=3600.0) as b:
        b.runner.take(samples(0, 2, time_ms=700_000))
        empty = samples(2, 0)
        empty.next_offset = 4
        b.runner.take(empty)
        b.runner.tick(PartitionEnd(4, 4, 1000.0))
        assert (b.runner.position, b.runner.partition_time) == (4, 1000.0)
