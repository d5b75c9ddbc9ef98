"""The state of a GPU with full windows: bytes, and the step's time as the fleet outgrows the caches.

``python -m tests.bench.state`` prints both, for messages of the guide and of ours.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from statistics import median
from time import process_time
from typing import Final

import numpy as np

from agents.ports import Chunk
from agents.score.bundles import NoInputs
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    HOUR_SECONDS,
    LOADED,
    MEMORY_TEMP,
    MEMORY_TEMP_MAX,
    OBSERVED,
    POWER,
    TEMP,
    TEMP_MAX,
    TEMP_SQUARE,
    THERMAL,
    UTIL,
    Buckets,
    empty_buckets,
)
from models.gpu.state import GpuState
from models.gpu.windows import DAYS, HOURS
from schemas.topics import METRICS_RAW
from streams.roles.garbage import collect_less
from tests.bench.messages import fleet

FLEETS: Final = (100, 1_000, 6_000)
ROUNDS: Final = 5
MESSAGES_A_ROUND: Final = 12_000
# One GPU in ten has corrected errors in its windows: a column more.
_WITH_ERRORS: Final = 10
_SLICE: Final = 50
_WARM_UP: Final = 6
_APPEND_TIME_MS: Final = 1_780_000_000_000

Messages = Iterator[tuple[bytes, bytes]]


class Fleet:
    """One partition and the messages of its GPUs, whose windows are full after :meth:`warm_up`."""

    def __init__(self, kind: str, gpus: int, ticks: int) -> None:
        self.gpus = gpus
        self._stream: Messages = fleet(kind, gpus, _WARM_UP + ticks)
        self._offset = 0
        self._part = ScorePartition(0, lambda key: 0, NoInputs(), ScoreOptions())
        self._part.restored({}, fresh=False)

    def warm_up(self) -> None:
        """Send the first minute of every GPU."""
        self.tick()
        for index, state in enumerate(self._part.states.values()):
            fill_windows(state, index, errors=index % _WITH_ERRORS == 0)
        for _ in range(_WARM_UP - 1):
            self.tick()

    def tick(self) -> float:
        """Send a message of every GPU, a few at a time; return the seconds it took, with packing the states."""
        took = 0.0
        for _ in range(0, self.gpus, _SLICE):
            messages = list(islice(self._stream, _SLICE))
            count = len(messages)
            end = self._offset + count
            chunk = Chunk(
                topic=METRICS_RAW,
                partition=0,
                first_offset=self._offset,
                next_offset=end,
                follows=self._offset,
                offsets=range(self._offset, end),
                times_ms=[_APPEND_TIME_MS + self._offset * 10 // max(self.gpus, 1)] * count,
                keys=[key for key, _ in messages],
                values=[value for _, value in messages],
                rekeyed=[False] * count,
            )
            self._offset = end
            began = process_time()
            self._part.process(chunk)
            self._part.drain()
            took += process_time() - began
        return took


def fill_windows(state: GpuState, seed: int, *, errors: bool) -> None:
    """Give the GPU a month of closed hours and days."""
    chance = np.random.default_rng(seed)
    windows = state.windows

    def rows(count: int, hours: float, places: int) -> Buckets:
        found = empty_buckets(count)
        found[:, OBSERVED], found[:, LOADED] = HOUR_SECONDS * hours, 3000.0 * hours
        found[:, [THERMAL, BRAKE]] = 0.0
        means = {TEMP: 62.0, TEMP_SQUARE: 3850.0, TEMP_MAX: 66.0, MEMORY_TEMP: 72.0, MEMORY_TEMP_MAX: 75.0}
        for column, value in {**means, UTIL: 0.9, POWER: 590.0}.items():
            found[:, column] = value + 0.1 * chance.random(count)
        if errors:
            found[::40, CORRECTED] = 1.0
        found[places % count] = empty_buckets(1)[0]
        return found

    windows.hours.fill(rows(HOURS, 1.0, windows.hour))
    windows.days.fill(rows(DAYS, 24.0, windows.day))
    windows.rebuild()


def bytes_a_gpu(kind: str, gpus: int) -> float:
    """Return what Python and numpy hold for one GPU more in role score's partition: its state and all beside it."""
    _held_bytes(kind, 2 * gpus)  # what caches keep of the first messages is not a GPU's
    return (_held_bytes(kind, 2 * gpus) - _held_bytes(kind, gpus)) / gpus


def _held_bytes(kind: str, gpus: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        some = Fleet(kind, gpus, 0)
        some.warm_up()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def step_microseconds(kind: str, gpus: int) -> float:
    """Return the CPU time of a message in the partition's loop, with its state packed; median of ROUNDS."""
    ticks = max(1, MESSAGES_A_ROUND // gpus)
    some = Fleet(kind, gpus, ROUNDS * ticks)
    some.warm_up()
    return median(sum(some.tick() for _ in range(ticks)) / (ticks * gpus) * 1e6 for _ in range(ROUNDS))


def main() -> None:
    """Print bytes a GPU and the step at each size of fleet."""
    collect_less()
    for kind in ("guide", "ours"):
        print(f"{kind}: {bytes_a_gpu(kind, 200):.0f} bytes a GPU", flush=True)
        for gpus in FLEETS:
            print(f"{kind}: {step_microseconds(kind, gpus):.1f} us a message at {gpus} GPUs", flush=True)


if __name__ == "__main__":
    main()
