"""One run: load, faults in the order of a seed, then the comparison with the truth."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from streams.embedded.kafka import EmbeddedKafka
from streams.settings import Settings
from tests.chaos.faults import FAULTS, Stage
from tests.chaos.load import Load
from tests.chaos.truth import differences, said, truth
from tests.chaos.workers import Worker

_CATCH_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run; ``differences`` is empty where nothing was lost or doubled."""

    samples: int
    alerts: int
    faults: list[str]
    worker_starts: int
    catch_up_seconds: float
    differences: list[str]


async def run_chaos(
    settings: Settings,
    broker: EmbeddedKafka,
    folder: Path,
    *,
    seed: int,
    seconds: float = 0.0,
    faults: Iterable[str] = (),
    rate: float = 1000.0,
    keys: int = 400,
    backlog: int = 100_000,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Run ``faults``, or faults drawn by ``seed`` for ``seconds``; topics must exist and be empty."""
    chance = random.Random(seed)
    workers = [Worker(f"worker-{number}", settings, folder) for number in (1, 2)]
    load = Load(settings, rate=rate, keys=keys, seed=seed)
    stage = Stage(workers, load, broker, settings.session_timeout_seconds, chance, backlog)
    done: list[str] = []
    try:
        for worker in workers:
            worker.start()
        await load.start()
        await _moving(settings)
        until = monotonic() + seconds
        for name in _order(faults, chance, until):
            tell(f"{name}: {FAULTS[name].__doc__}")
            await FAULTS[name](stage)
            done.append(name)
        await load.stop()
        expected = await truth(settings)
        began = monotonic()
        actual = await said(settings)
        while actual.positions != expected.positions and monotonic() - began < _CATCH_UP_SECONDS:
            await asyncio.sleep(1.0)
            actual = await said(settings)
        took = monotonic() - began
        for worker in workers:
            await worker.stop()
        found = differences(expected, await said(settings))
    finally:
        for worker in workers:
            await worker.stop(signal.SIGKILL)
    starts = sum(worker.starts for worker in workers)
    samples = sum(count for count, _, _ in expected.states.values())
    return Report(samples, expected.alerts.total(), done, starts, took, found)


def _order(faults: Iterable[str], chance: random.Random, until: float) -> Iterable[str]:
    named = list(faults)
    if named:
        yield from named
        return
    while monotonic() < until:
        names = sorted(FAULTS)
        chance.shuffle(names)
        for name in names:
            if monotonic() < until:
                yield name


async def _moving(settings: Settings) -> None:
    """Wait until the workers have written positions."""
    until = monotonic() + 60.0
    while not (await said(settings)).positions:
        if monotonic() > until:
            raise TimeoutError("the workers wrote no position within a minute")
        await asyncio.sleep(0.5)
