"""A plain Faust agent: one event a message, the step, and a table write per message."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any

import faust

from models.gpu import packing
from models.gpu.state import GpuState
from tests.bench.contenders.report import Arguments, Stopwatch, arguments
from tests.bench.step import Step, Timed, stopwatch_seconds


async def run(args: Arguments) -> None:
    app = faust.App(
        f"{args.prefix}plain",
        broker=f"kafka://{args.broker}",
        store="memory://",
        topic_partitions=args.partitions,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        topic_disable_leader=True,
        datadir=tempfile.mkdtemp(prefix="gh-plain-"),
    )
    topic = app.topic(args.topic, value_serializer="raw", key_serializer="raw")
    table: Any = app.Table(f"{args.prefix}plain-state", partitions=args.partitions, value_type=bytes, key_type=bytes)
    states: dict[bytes, GpuState] = {}
    step = Timed(Step())
    watch = Stopwatch(args, lambda: step.seconds)
    finished = asyncio.Event()

    @app.agent(topic)
    async def score(stream: Any) -> None:
        async for event in stream.events():
            key = event.key
            state, _ = step(states.get(key), event.value, event.message.timestamp)
            states[key] = state
            table[key] = packing.pack_hot(state)
            watch.count(1)
            if watch.done:
                finished.set()

    await app.start()
    await finished.wait()
    watch.report(*stopwatch_seconds())
    os._exit(0)  # what is left to flush is not what is measured


if __name__ == "__main__":
    asyncio.run(run(arguments()))
