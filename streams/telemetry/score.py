"""What role score measures of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from agents.ports import Output
from agents.score.options import Counts
from agents.score.partition import ScorePartition
from schemas.topics import METRICS_RAW
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.telemetry.registry import Telemetry


class ScoreMetrics:
    """Fills :class:`Telemetry` (see :class:`streams.hot_state.partition_runner.Observer`).

    Parameters
    ----------
    every_seconds
        How often :meth:`follow` looks.
    """

    def __init__(self, telemetry: Telemetry, *, every_seconds: float = 1.0) -> None:
        self._telemetry = telemetry
        self._every_seconds = every_seconds
        # Weakly: a partition is watched before it is owned, while its state is read, and its states are gone with it.
        self._logics: WeakValueDictionary[int, ScorePartition] = WeakValueDictionary()

    def chunk(self, records: int, elapsed_seconds: float) -> None:
        """Count a chunk, and its mean step."""
        self._telemetry.records_in.labels(METRICS_RAW).inc(records)
        self._telemetry.observe_chunk(records, elapsed_seconds)

    def checkpoint(self, outputs: Sequence[Output], elapsed_seconds: float) -> None:
        """Count what a transaction published."""
        self._telemetry.checkpoint_seconds.observe(elapsed_seconds)
        for output in outputs:
            self._telemetry.records_out.labels(output.topic).inc()

    def restored(self, elapsed_seconds: float) -> None:
        """Note a restore."""
        self._telemetry.restore_seconds.set(elapsed_seconds)

    def watch(self, logic: ScorePartition) -> ScorePartition:
        """Count what ``logic`` counts, as long as its partition is owned."""
        self._logics[logic.partition] = logic
        return logic

    async def follow(self, owned: OwnedPartitions) -> None:
        """Bring the metrics up to date, for ever."""
        while True:
            await asyncio.sleep(self._every_seconds)
            logics = [logic for partition, logic in self._logics.items() if partition in owned.runners]
            self._telemetry.gpus.set(sum(len(logic.states) for logic in logics))
            self._telemetry.set_lag(METRICS_RAW, owned.lags())
            for logic in logics:
                counts, logic.counts = logic.counts, Counts()
                self._telemetry.count_by_source(counts.late, counts.unknown_names, counts.dropped)
                self._telemetry.rekeyed.inc(counts.rekeyed)
                self._telemetry.count_dead_letters(counts.dead)
