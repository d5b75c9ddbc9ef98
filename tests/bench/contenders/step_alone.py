"""The bare step over messages in memory: what every contender pays in any case."""

from __future__ import annotations

import argparse
import time
from itertools import islice

from models.state import GpuState
from tests.bench.contenders.report import report
from tests.bench.messages import fleet
from tests.bench.step import Step


def run(kind: str, gpus: int, rounds: int) -> None:
    """Time the step alone: a round's messages are made outside the time, and few enough to stay in the cache."""
    stream = fleet(kind, gpus, rounds)
    step = Step()
    states: dict[bytes, GpuState] = {}
    seconds = cpu_seconds = 0.0
    append_time = 1_770_638_400.0
    while messages := list(islice(stream, gpus)):
        began, cpu_began = time.perf_counter(), time.process_time()
        for key, value in messages:
            append_time += 0.01
            states[key], _ = step(states.get(key), value, append_time)
        seconds += time.perf_counter() - began
        cpu_seconds += time.process_time() - cpu_began
    report(gpus * rounds, seconds, cpu_seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    arguments = parser.parse_args()
    run(arguments.kind, arguments.gpus, arguments.rounds)
