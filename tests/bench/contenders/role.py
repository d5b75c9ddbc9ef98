"""Role score as it is: chunks, guard, step, checkpoints every second, outputs in transactions.

Its step is timed by the chunk, in the time of its own thread: a wait for the thread that fetches is not the step's.
What the partition's loop adds to the bare step is told by ``in_memory``.
"""

from __future__ import annotations

import asyncio
import os
import time

from agents.ports import Chunk
from agents.score.partition import ScorePartition
from streams.roles.garbage import collect_less
from streams.roles.score import assemble
from streams.settings import Settings
from tests.bench.contenders.report import Arguments, Stopwatch, arguments


class _StepClock:
    """Adds up what ``ScorePartition.process`` takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def install(self) -> None:
        process = ScorePartition.process

        def timed(partition: ScorePartition, chunk: Chunk) -> None:
            began = time.thread_time()
            process(partition, chunk)
            self.seconds += time.thread_time() - began

        ScorePartition.process = timed  # type: ignore[method-assign, assignment]


async def run(args: Arguments) -> None:
    settings = Settings(broker=args.broker, partitions=args.partitions, topic_prefix=args.prefix, web_port=0)
    clock = _StepClock()
    clock.install()
    app, owned = assemble(settings)
    collect_less()  # as every role's process does
    watch = Stopwatch(args, lambda: clock.seconds)
    await app.start()
    deadline = time.monotonic() + 300
    while not watch.done and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        # Checkpoints run each second meanwhile; the wait for the last one is no work and is not timed.
        reached = sum(max(runner.position, 0) for runner in owned.runners.values())
        if reached > watch.counted:
            watch.count(reached - watch.counted)
    while sum(max(runner.committed, 0) for runner in owned.runners.values()) < args.messages:
        await asyncio.sleep(0.01)
    watch.report()
    await app.stop()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(arguments()))
