"""Role score as it is: chunks, guard, step, checkpoints every second, outputs in transactions."""

from __future__ import annotations

import asyncio
import os
import time

from streams.score_role import assemble
from streams.settings import Settings
from tests.bench.contenders.report import Arguments, Stopwatch, arguments


async def run(args: Arguments) -> None:
    settings = Settings(broker=args.broker, partitions=args.partitions, topic_prefix=args.prefix, web_port=0)
    app, owned = assemble(settings)
    watch = Stopwatch(args)
    await app.start()
    deadline = time.monotonic() + 300
    while not watch.done and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
        # Done is what a transaction has committed, not what was processed.
        committed = sum(max(runner.committed, 0) for runner in owned.runners.values())
        if committed > watch.counted:
            watch.count(committed - watch.counted)
    watch.report()
    await app.stop()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(arguments()))
