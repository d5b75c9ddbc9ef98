"""The partitions of the raw topic that this worker owns: opened, fed, committed and given up.

Faust tells when partitions come and go; everything else about delivery is decided here (see the decision
note on the hot state table).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.ports import Chunk, Clock, PartitionLogic
from schemas.errors import ShutdownError
from streams.hot_state.partition_runner import Observer, PartitionRunner
from streams.hot_state.table import HotTable, StateTable
from streams.settings import Settings
from streams.transport.app import STATE_ERRORS, HealthApp
from streams.transport.chunked import ChunkedConsumer

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0


class OwnedPartitions:
    """Runs one logic for each partition of ``topic`` that the group assigns to this worker.

    Parameters
    ----------
    topic, table_topic
        Input and state topic, without the prefix of the settings.
    make_logic
        Makes the logic of a partition: (partition, number of partitions).
    make_table
        Makes the table of a partition; default: one in Kafka.
    """

    def __init__(
        self,
        app: HealthApp,
        settings: Settings,
        *,
        role: str,
        topic: str,
        table_topic: str,
        make_logic: Callable[[int, int], PartitionLogic],
        clock: Clock,
        observer: Observer | None = None,
        make_table: Callable[[int], StateTable] | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._topic = topic
        self._make_table = make_table or (
            lambda partition: HotTable(settings, table_topic=table_topic, role=role, partition=partition)
        )
        self._make_logic = make_logic
        self._clock = clock
        self._observer = observer
        self._runners: dict[int, PartitionRunner] = {}
        self._committed: dict[TP, int] = {}
        self._passed_over: set[int] = set()
        # A rebalance may begin while the partitions of the one before are still being restored.
        self._changing = asyncio.Lock()

    def attach(self) -> None:
        """Connect to the app; call once, before it starts."""
        self._app.on_partitions_revoked.connect(self._on_revoked)
        self._app.on_rebalance_complete.connect(self._on_assigned)
        self._app.before_stop(self.close)
        self._app.task(self._tick_forever)
        self._app.read_chunks(self._topic, self.take)

    @property
    def runners(self) -> Mapping[int, PartitionRunner]:
        """Return the owned partitions."""
        return self._runners

    def lags(self) -> list[tuple[int, int]]:
        """Return (partition, records not processed yet) of each owned partition that was fetched."""
        ends = {one: self._consumer.partition_end(self._tp(one)) for one in self._runners}
        return [
            (one, max(0, end.highwater - self._runners[one].position)) for one, end in ends.items() if end is not None
        ]

    def positions(self) -> dict[TP, int]:
        """Return the next offset to process of each owned partition."""
        return {self._tp(partition): runner.position for partition, runner in self._runners.items()}

    async def take(self, chunk: Chunk) -> None:
        """Process a chunk; one of a partition that is not owned (any more) is left to its owner."""
        runner = self._runners.get(chunk.partition)
        if runner is None:
            return
        if runner.commit_hangs:  # the others go on; this one is read again from where it stands
            self._passed_over.add(chunk.partition)
            return
        seek = runner.take(chunk)
        if seek is not None:
            await self._consumer.seek_chunks(self._tp(chunk.partition), seek)

    async def close(self) -> None:
        """Write the last checkpoints and give up all partitions; after a failure, without checkpoints."""
        async with self._changing:
            runners, self._runners = self._runners, {}
            commit = not self._app.failed
            async with asyncio.TaskGroup() as group:
                for runner in runners.values():
                    group.create_task(runner.close(commit=commit))
            if commit:
                await self._commit_group(runners)

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        """Before others get them: the generation is still valid, and Faust waits for this."""
        try:
            await self.close()
        except* STATE_ERRORS as errors:
            self._app.fail(errors)

    async def _on_assigned(self, *args: Any, **kwargs: Any) -> None:
        """Restore what this worker owns now; Faust resumes the flow when this returns."""
        rebalance = self._app.rebalancing_count
        async with self._changing:
            if rebalance != self._app.rebalancing_count or self._app.failed:
                return
            consumer = self._consumer
            consumer.keep_positions(self.positions)
            name = self._settings.topic(self._topic)
            owned = sorted(tp.partition for tp in consumer.assignment() if tp.topic == name)
            partitions = consumer.topic_partitions(name)
            if partitions is None:
                if owned:  # the group could give them away, so the next start knows them
                    self._app.fail(ShutdownError(f"the number of partitions of {name} is not known yet"))
                return
            runners = {partition: self._runner(partition, partitions) for partition in owned}
            try:
                async with asyncio.TaskGroup() as group:
                    for runner in runners.values():
                        group.create_task(runner.open())
            except* STATE_ERRORS as errors:
                self._app.fail(errors)
                for runner in runners.values():
                    with contextlib.suppress(*STATE_ERRORS):  # the first error is the reason
                        await runner.close(commit=False)
            else:
                self._runners = runners
                log.info("Owned partitions of %s: %s", name, owned)

    def _runner(self, partition: int, partitions: int) -> PartitionRunner:
        return PartitionRunner(
            self._topic,
            partition,
            self._make_logic(partition, partitions),
            self._make_table(partition),
            interval_seconds=self._settings.checkpoint_interval_seconds,
            clock=self._clock,
            fail=self._app.fail,
            observer=self._observer,
        )

    async def _tick_forever(self) -> None:
        while not self._app.should_stop:
            await asyncio.sleep(_TICK_SECONDS)
            runners = dict(self._runners)
            for partition, runner in runners.items():
                runner.tick(self._consumer.partition_end(self._tp(partition)))
            await self._read_again(runners)
            await self._commit_group(runners)

    async def _read_again(self, runners: Mapping[int, PartitionRunner]) -> None:
        """Go back to where the partitions stand whose chunks were passed over while a commit hung."""
        for partition in sorted(self._passed_over):
            runner = runners.get(partition)
            if runner is not None and runner.commit_hangs:
                continue
            self._passed_over.discard(partition)
            if runner is not None:
                log.info("Partition %d: its commit is done; reading again", partition)
                await self._consumer.seek_chunks(self._tp(partition), runner.position)

    async def _commit_group(self, runners: Mapping[int, PartitionRunner]) -> None:
        positions = {self._tp(partition): runner.committed for partition, runner in runners.items()}
        fresh = {tp: offset for tp, offset in positions.items() if self._committed.get(tp) != offset}
        if fresh and await self._consumer.commit_positions(fresh):
            self._committed.update(fresh)

    def _tp(self, partition: int) -> TP:
        return cast(TP, TopicPartition(self._settings.topic(self._topic), partition))

    @property
    def _consumer(self) -> ChunkedConsumer:
        return cast(ChunkedConsumer, self._app.consumer)
