"""The bare step over messages in memory: what every contender pays in any case."""

from __future__ import annotations

import argparse
import gc

from models.state import GpuState
from tests.bench.contenders.report import Arguments, Stopwatch
from tests.bench.messages import fleet
from tests.bench.step import Step


def run(kind: str, gpus: int, rounds: int) -> None:
    messages = list(fleet(kind, gpus, rounds))
    gc.collect()
    gc.freeze()  # the collector must not walk through the messages that wait in memory
    watch = Stopwatch(Arguments("", "", 0, len(messages), ""))
    step = Step()
    states: dict[bytes, GpuState] = {}
    watch.count(0)
    for index, (key, value) in enumerate(messages):
        states[key], _ = step(states.get(key), value, 1_770_638_400.0 + index * 0.01)
    watch.count(len(messages))
    watch.report()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    arguments = parser.parse_args()
    run(arguments.kind, arguments.gpus, arguments.rounds)
