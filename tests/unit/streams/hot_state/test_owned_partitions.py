"""The partitions of one worker: one that hangs does not stop the others, and what fails leaves nothing open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faust.types import TP

from schemas.topics import METRICS_RAW, STATE
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.settings import Settings
from streams.transport.app import HealthApp
from tests.chaos.counting import CountingLogic
from tests.unit.streams.hot_state.memory_table import MemoryLog, MemoryTable
from tests.unit.streams.hot_state.test_partition_runner import HandClock, samples

PARTITIONS = 2


class Group:
    """Stands for the app and its consumer, as far as the partitions use them: all are assigned to this worker."""

    def __init__(self) -> None:
        self.rebalancing_count = 0
        self.failures: list[BaseException] = []
        self.sought: list[tuple[int, int]] = []
        self.committed: list[dict[int, int]] = []
        self.commits_fail = False
        self.should_stop = False
        self.assigned: Callable[[], Awaitable[None]]
        self.ticks: Callable[[], Awaitable[None]]
        self.on_rebalance_complete = SimpleNamespace(connect=lambda action: setattr(self, "assigned", action))
        self.on_partitions_revoked = SimpleNamespace(connect=lambda action: None)
        self.consumer = self

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        return bool(self.failures)

    def fail(self, error: BaseException) -> None:
        """Note what ends the process."""
        self.failures.append(error)

    def before_stop(self, action: Any) -> None:
        """Do nothing."""

    def read_chunks(self, topic: str, take: Any) -> None:
        """Do nothing: chunks are given by hand."""

    def task(self, work: Any) -> None:
        """Keep the work for the test to run."""
        self.ticks = work

    def keep_positions(self, positions: Any) -> None:
        """Do nothing."""

    def assignment(self) -> set[Any]:
        """Return every partition."""
        return {TopicPartition(METRICS_RAW, partition) for partition in range(PARTITIONS)}

    def topic_partitions(self, topic: str) -> int:
        """Return how many there are."""
        return PARTITIONS

    def partition_end(self, tp: TP) -> None:
        """Nothing was fetched yet."""

    async def seek_chunks(self, tp: TP, offset: int) -> None:
        """Note it."""
        self.sought.append((tp.partition, offset))

    async def commit_positions(self, positions: Mapping[TP, int]) -> bool:
        """Note them."""
        self.committed.append({tp.partition: offset for tp, offset in positions.items()})
        return not self.commits_fail


class Bench:
    """Partitions of one worker on tables in memory."""

    def __init__(self) -> None:
        self.group = Group()
        self.clock = HandClock()
        self.tables: dict[int, MemoryTable] = {}
        self.logics = [CountingLogic(partition) for partition in range(PARTITIONS)]
        for partition in range(PARTITIONS):
            log = MemoryLog()
            log.create(METRICS_RAW, PARTITIONS)
            log.reached({(METRICS_RAW, partition): 0})
            self.tables[partition] = MemoryTable(log)
        self.owned = OwnedPartitions(
            cast(HealthApp, self.group),
            Settings(topic_prefix="", checkpoint_interval_seconds=3600.0),
            role="score",
            topic=METRICS_RAW,
            table_topic=STATE,
            make_logic=lambda partition, _: self.logics[partition],
            clock=self.clock,
            make_table=self.tables.__getitem__,
        )
        self.owned.attach()

    async def feed(self, partition: int, first: int) -> None:
        """Give three samples."""
        chunk = samples(first, 3, follows=first)
        chunk.partition = partition
        await self.owned.take(chunk)

    async def tick(self) -> None:
        """Let the clock of the partitions move once."""
        ticking = asyncio.create_task(cast(Any, self.group.ticks)())
        await asyncio.sleep(0)
        self.group.should_stop = True
        await ticking
        self.group.should_stop = False


async def test_a_partition_whose_commit_hangs_is_passed_over_and_read_again() -> None:
    bench = Bench()
    await bench.group.assigned()
    runners = bench.owned.runners
    hanging = bench.tables[0].hanging = asyncio.Event()
    await bench.feed(0, 0)
    commit = asyncio.create_task(runners[0].checkpoint())
    await asyncio.sleep(0)
    bench.clock.now += 3.0
    await asyncio.wait_for(bench.feed(0, 3), 1.0)
    await asyncio.wait_for(bench.feed(1, 0), 1.0)
    assert [runner.position for runner in runners.values()] == [3, 3]
    hanging.set()
    await commit
    await bench.tick()
    assert bench.group.sought == [(0, 3)]
    await bench.feed(0, 3)
    assert runners[0].position == 6
    assert bench.group.failures == []
    await bench.owned.close()


async def test_where_one_cannot_be_opened_the_others_are_let_go() -> None:
    bench = Bench()

    async def fails(*arguments: Any) -> Any:
        await asyncio.sleep(0.01)
        raise KafkaError("away")

    table = bench.tables[1] = cast(Any, SimpleNamespace(open=fails, close=bench.tables[1].close))
    bench.owned = OwnedPartitions(
        cast(HealthApp, bench.group),
        Settings(topic_prefix=""),
        role="score",
        topic=METRICS_RAW,
        table_topic=STATE,
        make_logic=lambda partition, _: bench.logics[partition],
        clock=bench.clock,
        make_table={0: bench.tables[0], 1: table}.__getitem__,
    )
    bench.owned.attach()
    await bench.group.assigned()
    assert len(bench.group.failures) == 1
    assert bench.owned.runners == {}
    assert bench.tables[0].closed


async def test_group_offsets_that_were_not_committed_are_tried_again() -> None:
    bench = Bench()
    await bench.group.assigned()
    await bench.feed(0, 0)
    await bench.owned.runners[0].checkpoint()
    bench.group.commits_fail = True
    await bench.tick()
    bench.group.commits_fail = False
    await bench.tick()
    await bench.tick()
    assert bench.group.committed == [{0: 3, 1: 0}, {0: 3, 1: 0}]
    await bench.owned.close()
