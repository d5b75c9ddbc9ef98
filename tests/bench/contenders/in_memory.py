"""In memory, in turn: the bare step and role score's loop around it, for what the loop adds."""

from __future__ import annotations

import argparse
import time
from itertools import islice

from agents.ports import Chunk
from agents.score.bundles import NoInputs
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from models.gpu.state import GpuState
from schemas.topics import METRICS_RAW
from streams.roles.garbage import collect_less
from streams.roles.score import partitioner
from tests.bench.contenders.report import report
from tests.bench.messages import fleet
from tests.bench.step import Step

# After the time of the messages, as in a backlog: nothing is ahead of the broker's clock.
_APPEND_TIME_MS = 1_780_000_000_000
_CHUNK_MS = 50

Message = tuple[bytes, bytes]


class BareStep:
    """The step, message by message."""

    def __init__(self) -> None:
        self._step = Step()
        self._states: dict[bytes, GpuState] = {}
        self.seconds = self.cpu_seconds = 0.0

    def take(self, partition: int, messages: list[Message], time_ms: int) -> None:
        """Take what a chunk would hold."""
        states, step, at = self._states, self._step, time_ms / 1000
        began, cpu_began = time.perf_counter(), time.thread_time()
        for key, value in messages:
            states[key], _ = step(states.get(key), value, at)
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.thread_time() - cpu_began


class PartitionLoop:
    """The step as the partitions of role score run it over chunks."""

    def __init__(self, partitions: int) -> None:
        partition_of = partitioner(partitions)
        self._parts = [ScorePartition(p, partition_of, NoInputs(), ScoreOptions()) for p in range(partitions)]
        self._offsets = [0] * partitions
        for part in self._parts:
            part.restored({}, fresh=False)
        self.seconds = self.cpu_seconds = 0.0

    def take(self, partition: int, messages: list[Message], time_ms: int) -> None:
        """Process a chunk, and forget what a checkpoint would write."""
        count = len(messages)
        start = self._offsets[partition]
        end = self._offsets[partition] = start + count
        chunk = Chunk(
            topic=METRICS_RAW,
            partition=partition,
            first_offset=start,
            next_offset=end,
            follows=start,
            offsets=range(start, end),
            times_ms=[time_ms] * count,
            keys=[key for key, _ in messages],
            values=[value for _, value in messages],
            rekeyed=[False] * count,
        )
        part = self._parts[partition]
        began, cpu_began = time.perf_counter(), time.thread_time()
        part.process(chunk)
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.thread_time() - cpu_began
        part.drain()


def run(kind: str, gpus: int, partitions: int, rounds: int) -> None:
    """Time both, chunk by chunk of about ``gpus`` messages; the messages are made outside the time."""
    stream = fleet(kind, gpus, rounds)
    partition_of = partitioner(partitions)
    bare, loop = BareStep(), PartitionLoop(partitions)
    collect_less()
    time_ms = _APPEND_TIME_MS
    chunks = 0
    while some := list(islice(stream, gpus * partitions)):
        parts: list[list[Message]] = [[] for _ in range(partitions)]
        for key, value in some:
            parts[partition_of(key)].append((key, value))
        for partition, messages in enumerate(parts):
            time_ms += _CHUNK_MS
            chunks += 1
            for one in (bare, loop) if chunks % 2 else (loop, bare):
                one.take(partition, messages, time_ms)
    messages_taken = gpus * rounds
    report(messages_taken, loop.seconds, loop.cpu_seconds, beside_seconds=loop.seconds - bare.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    run(**vars(parser.parse_args()))
