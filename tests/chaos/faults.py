"""What is done to a running system, by name; each leaves it as it was found: two workers, a broker."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streams.embedded.kafka import EmbeddedKafka
from tests.chaos.load import Load
from tests.chaos.workers import Worker


@dataclass(slots=True)
class Stage:
    """What faults are done to."""

    workers: list[Worker]
    load: Load
    broker: EmbeddedKafka
    session_seconds: float
    chance: random.Random
    backlog: int


async def kill_one(stage: Stage) -> None:
    """Kill -9 of one worker under load."""
    stage.chance.choice(stage.workers).send(signal.SIGKILL)
    await asyncio.sleep(stage.session_seconds + 3.0)


async def kill_both(stage: Stage) -> None:
    """Kill -9 of both at once."""
    for worker in stage.workers:
        worker.send(signal.SIGKILL)
    await asyncio.sleep(stage.session_seconds + 3.0)


async def stall(stage: Stage) -> None:
    """Stop one past its session's time-out, then let it go on: a zombie that knows of nothing."""
    worker = stage.chance.choice(stage.workers)
    worker.send(signal.SIGSTOP)
    await asyncio.sleep(stage.session_seconds + 4.0)
    worker.send(signal.SIGCONT)
    await asyncio.sleep(4.0)


async def drain(stage: Stage) -> None:
    """SIGTERM of one; it comes back."""
    worker = stage.chance.choice(stage.workers)
    await worker.stop(signal.SIGTERM)
    await asyncio.sleep(2.0)
    worker.start()
    await asyncio.sleep(5.0)


async def scale(stage: Stage) -> None:
    """Two workers, one, two."""
    worker = stage.workers[-1]
    await worker.stop(signal.SIGTERM)
    await asyncio.sleep(4.0)
    worker.start()
    await asyncio.sleep(6.0)


async def backlog(stage: Stage) -> None:
    """Both killed, a backlog piles up, one is killed again with its buffers full of it."""
    for worker in stage.workers:
        await worker.stop(signal.SIGKILL)
    await stage.load.burst(stage.backlog)
    for worker in stage.workers:
        worker.start()
    await asyncio.sleep(stage.session_seconds + 2.5 + stage.chance.random())
    stage.workers[0].send(signal.SIGKILL)
    await asyncio.sleep(stage.session_seconds + 3.0)


async def broker_down(stage: Stage) -> None:
    """Kill -9 of the broker, back after a while: open transactions time out, owners find themselves fenced."""
    assert stage.broker.process is not None
    stage.broker.process.kill()
    await asyncio.sleep(stage.chance.choice((2.0, 11.0)))
    await stage.broker.start()
    await asyncio.sleep(12.0)


FAULTS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    fault.__name__: fault for fault in (kill_one, kill_both, stall, drain, scale, backlog, broker_down)
}
