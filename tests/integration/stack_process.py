"""A supervisor to be stopped and killed by tests: the embedded servers and one worker that only waits."""

from __future__ import annotations

import asyncio
import signal
import sys

from streams.embedded.stack import Stack
from streams.settings import Settings

_WAITS = [sys.executable, "-c", "import time; print('waits', flush=True); time.sleep(600)"]


async def _main() -> None:
    work = asyncio.current_task()
    assert work is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, work.cancel)
    async with Stack(Settings(), simulated=False, report=lambda message: None) as stack:
        await stack.run("waits", _WAITS)
        await stack.watch()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except asyncio.CancelledError:
        sys.exit(0)
