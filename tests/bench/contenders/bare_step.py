"""The step alone, message by message, in memory: what every contender pays in any case.

The bench runs this file also within an unpacked release, so that it uses only what that has under the same names.
"""

from __future__ import annotations

import argparse
import gc
import time
from itertools import islice
from typing import Any

from tests.bench.contenders.report import report
from tests.bench.messages import fleet
from tests.bench.step import Step

# After the time of the messages, as in a backlog: nothing is ahead of the broker's clock.
_APPEND_TIME_SECONDS = 1_780_000_000.0
_CHUNK_SECONDS = 0.05


def run(kind: str, gpus: int, rounds: int) -> None:
    """Time the step chunk by chunk of ``gpus`` messages; the messages are made outside the time."""
    stream = fleet(kind, gpus, rounds)
    step = Step()
    states: dict[bytes, Any] = {}
    wall = cpu = 0.0
    at = _APPEND_TIME_SECONDS
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, *gc.get_threshold()[1:])
    while some := list(islice(stream, gpus)):
        at += _CHUNK_SECONDS
        began, cpu_began = time.perf_counter(), time.thread_time()
        for key, value in some:
            states[key], _ = step(states.get(key), value, at)
        wall += time.perf_counter() - began
        cpu += time.thread_time() - cpu_began
    report(gpus * rounds, wall, cpu)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    run(**vars(parser.parse_args()))
