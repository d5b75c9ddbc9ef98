"""A role that failed ends, whatever it leaves behind."""

from __future__ import annotations

import subprocess
import sys

_FAILING = """
import asyncio
from streams.roles.run import serve

class App:
    async def start(self):
        self.left = asyncio.create_task(self.ignore())
        await asyncio.sleep(0)
        raise OSError("the broker is away")

    async def ignore(self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    async def wait(self):
        await asyncio.Event().wait()

    async def stop(self):
        pass

serve(App)
"""


def test_a_failed_role_does_not_wait_for_tasks_that_do_not_end() -> None:
    done = subprocess.run([sys.executable, "-c", _FAILING], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "the broker is away" in done.stderr
