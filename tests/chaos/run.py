"""One run: load, faults in the order of a seed, then the comparison with the truth."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas.topics import METRICS_RAW
from streams.embedded.kafka import EmbeddedKafka
from streams.kafka.clients import client_options
from streams.settings import Settings
from tests.chaos.faults import FAULTS, Stage
from tests.chaos.load import Load
from tests.chaos.subject import Subject
from tests.chaos.truth import differences
from tests.chaos.workers import Worker

_START_SECONDS = 60.0
_CATCH_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run; ``differences`` is empty where nothing was lost or doubled."""

    samples: int
    records: int
    faults: list[str]
    worker_starts: int
    catch_up_seconds: float
    differences: list[str]


async def run_chaos(
    settings: Settings,
    broker: EmbeddedKafka,
    folder: Path,
    subject: Subject,
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
    workers = [Worker(f"worker-{number}", settings, folder, subject.worker) for number in (1, 2)]
    load = Load(settings, subject.samples(seed, keys), rate=rate)
    stage = Stage(workers, load, broker, settings.session_timeout_seconds, chance, backlog)
    done: list[str] = []
    try:
        await load.open()
        for worker in workers:
            worker.start()
        await _reached(settings, dict.fromkeys(range(settings.partitions), 1), _START_SECONDS)
        await load.start()
        until = monotonic() + seconds
        for name in _order(faults, chance, until):
            tell(f"{name}: {FAULTS[name].__doc__}")
            await FAULTS[name](stage)
            done.append(name)
        await load.stop()
        began = monotonic()
        await _reached(settings, await _ends(settings), _CATCH_UP_SECONDS)
        took = monotonic() - began
        for worker in workers:
            await worker.stop()
        expected = await subject.truth(settings)
        found = differences(expected, await subject.said(settings))
    finally:
        for worker in workers:
            await worker.stop(signal.SIGKILL)
    starts = sum(worker.starts for worker in workers)
    return Report(expected.samples, expected.said.total(), done, starts, took, found)


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


async def _ends(settings: Settings) -> dict[int, int]:
    """Return the end of each partition of the raw topic."""
    reader = AIOKafkaConsumer(**client_options(settings))
    await reader.start()
    try:
        tps = [TopicPartition(settings.topic(METRICS_RAW), number) for number in range(settings.partitions)]
        return {tp.partition: end for tp, end in (await reader.end_offsets(tps)).items()}
    finally:
        await reader.stop()


async def _reached(settings: Settings, offsets: dict[int, int], limit_seconds: float) -> None:
    """Wait until the workers have committed ``offsets``.

    Raises
    ------
    TimeoutError
        They do not get there.
    """
    tps = [TopicPartition(settings.topic(METRICS_RAW), partition) for partition in offsets]
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                try:
                    found = await admin.list_consumer_group_offsets(settings.group("score"), partitions=tps)
                except KafkaError:  # its coordinator has moved, or does not exist yet
                    found = {}
                if all(tp in found and found[tp].offset >= offsets[tp.partition] for tp in tps):
                    return
                await asyncio.sleep(0.5)
    finally:
        await admin.close()
