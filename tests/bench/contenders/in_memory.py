"""In memory, in turn: the bare step, which every contender pays in any case, and role score's loop around it."""

from __future__ import annotations

import argparse
import time
from itertools import islice

from agents.bundles import NoInputs
from agents.partition_options import ScoreOptions
from agents.ports import Chunk
from agents.score_partition import ScorePartition
from models.state import GpuState
from schemas.topics import METRICS_RAW
from streams.garbage import collect_less
from streams.score_role import partitioner
from tests.bench.contenders.report import report
from tests.bench.messages import fleet
from tests.bench.step import Step

# After the time of the messages, as in a backlog: nothing is ahead of the broker's clock.
_APPEND_TIME_MS = 1_780_000_000_000
_CHECKPOINT_ROUNDS = 15  # a second's worth

Message = tuple[bytes, bytes]


class BareStep:
    """The step, message by message."""

    def __init__(self) -> None:
        self._step = Step()
        self._states: dict[bytes, GpuState] = {}
        self.seconds = 0.0

    def take(self, parts: list[list[Message]], time_ms: int) -> None:
        states, step, at = self._states, self._step, time_ms / 1000
        began = time.perf_counter()
        for messages in parts:
            for key, value in messages:
                states[key], _ = step(states.get(key), value, at)
        self.seconds += time.perf_counter() - began


class PartitionLoop:
    """The step as the partitions of role score run it over chunks."""

    def __init__(self, partitions: int) -> None:
        partition_of = partitioner(partitions)
        self._parts = [ScorePartition(p, partition_of, NoInputs(), ScoreOptions()) for p in range(partitions)]
        self._offsets = [0] * partitions
        for part in self._parts:
            part.restored({}, fresh=False)
        self.seconds = 0.0

    def take(self, parts: list[list[Message]], time_ms: int) -> None:
        chunks = []
        for partition, messages in enumerate(parts):
            start = self._offsets[partition]
            end = self._offsets[partition] = start + len(messages)
            keys, values = [key for key, _ in messages], [value for _, value in messages]
            times = [time_ms] * len(values)
            chunks.append(
                Chunk(
                    METRICS_RAW,
                    partition,
                    start,
                    end,
                    start,
                    range(start, end),
                    times,
                    keys,
                    values,
                    [False] * len(values),
                )
            )
        began = time.perf_counter()
        for part, chunk in zip(self._parts, chunks, strict=True):
            part.process(chunk)
        self.seconds += time.perf_counter() - began

    def forget_outputs(self) -> None:
        """Let go what a checkpoint would write."""
        for part in self._parts:
            part.drain()


def run(kind: str, gpus: int, partitions: int, rounds: int) -> None:
    """Time both; a round's messages are made outside the time, and few enough to stay in the cache."""
    stream = fleet(kind, gpus, rounds)
    partition_of = partitioner(partitions)
    bare, loop = BareStep(), PartitionLoop(partitions)
    collect_less()
    time_ms = _APPEND_TIME_MS
    cpu_began = time.process_time()
    for tick in range(rounds):
        parts: list[list[Message]] = [[] for _ in range(partitions)]
        for key, value in islice(stream, gpus):
            parts[partition_of(key)].append((key, value))
        time_ms += 50
        for one in (bare, loop) if tick % 2 else (loop, bare):
            one.take(parts, time_ms)
        if tick % _CHECKPOINT_ROUNDS == 0:
            loop.forget_outputs()
    messages = gpus * rounds
    report(messages, bare.seconds, time.process_time() - cpu_began, beside_seconds=loop.seconds - bare.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    run(**vars(parser.parse_args()))
