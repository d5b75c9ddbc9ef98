"""A part that ends is started again, later each time; what happened can be seen."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from schemas.errors import ShutdownError
from streams.embedded.supervision import Backoff, Supervised


class _Part:
    """Ends at once, as often as told; its third start fails."""

    log_path = Path("part.log")
    process: subprocess.Popen[bytes] | None = None

    def __init__(self) -> None:
        self.starts = 0
        self.gone = False

    async def start(self) -> None:
        self.starts += 1
        if self.starts == 3:
            raise ShutdownError("the port is taken")
        self.gone = self.starts < 3

    async def stop(self) -> None:
        self.gone = True

    def crash(self) -> str | None:
        return "part ended with code 3\nits last words" if self.gone else None


async def test_restarts_failed_starts_included(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    pause = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await pause(0.0)

    monkeypatch.setattr("streams.embedded.supervision.asyncio.sleep", sleep)
    part, said, states = _Part(), list[str](), list[str]()
    one = Supervised("part", part, report=said.append, changed=lambda: states.append(one.state))
    await one.start()
    watch = asyncio.create_task(one.watch())
    while part.starts < 4:
        await pause(0.0)
    await pause(0.0)
    watch.cancel()
    assert (one.state, one.restarts, one.last_exit) == ("running", 3, "part ended with code 3")
    assert waited[:3] == [0.5, 1.0, 2.0]
    assert "its last words" in said[0]
    assert any("the port is taken" in message for message in said)
    assert states[:3] == ["running", "waiting", "starting"]


def test_the_wait_is_bounded_and_begins_anew_after_a_long_life() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay_seconds(1.0) for _ in range(10)]
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == 30.0
    assert backoff.next_delay_seconds(60.0) == 0.5
