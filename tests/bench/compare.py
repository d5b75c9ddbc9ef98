"""The contenders, round by round: each is a process of its own, and none has the better place each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from schemas.topics import METRICS_RAW
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.bench import release
from tests.bench.messages import fleet

GPUS: Final = 1000
PARTITIONS: Final = 8
PLAIN_ROUNDS: Final = 10
CONTENDERS: Final = {
    "bare_step": "the step alone, in memory",
    "release": f"the step of {release.NAME} alone, in memory",
    "in_memory": "the step and role score's loop, in turn, in memory",
    "role": "role score, checkpoints each second",
    "bytewax_flow": "Bytewax with the step, no checkpoint",
    "bytewax_recovery": "Bytewax with the step, its recovery each second",
    "bare": "bare aiokafka: fetch and decode",
    "plain_faust": "plain Faust, the step and a table write a message",
}
TIMEOUT_SECONDS: Final = 300
_ROOT: Final = Path(__file__).parents[2]

# What each contender measured, a round after the other.
Figures = dict[str, list[dict[str, float]]]


def load(broker: str, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> int:
    """Send ``messages`` and wait until all are acknowledged; return how many."""
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "compression.type": "lz4",  # as our collectors send
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 500_000,
        }
    )
    count = 0
    for key, value in messages:
        producer.produce(topic, value, key)
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    producer.flush(60)
    return count


def contend(name: str, *arguments: str, folder: Path = _ROOT) -> dict[str, float]:
    """Run one contender of the files in ``folder`` as a process of its own; return its figures."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.contenders.{name}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{name} gave no figures:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(lines[-1])
    return figures


async def make_topics(broker: str, prefix: str) -> str:
    """Create the topics of ``prefix``; return the raw topic's name."""
    settings = Settings(broker=broker, partitions=PARTITIONS, topic_prefix=prefix)
    await ensure_topics(settings)
    return settings.topic(METRICS_RAW)


async def drop_topics(broker: str, prefix: str) -> None:
    """Delete the topics of ``prefix``: a broker with a thousand partitions of earlier rounds is a slower one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()


async def measure_kind(broker: str, kind: str, repeats: int, rounds: int, released: Path | None) -> Figures:
    """Return the figures of every contender over ``rounds`` messages a GPU of ``kind``; ``released`` is an unpacked
    release.

    The order is reversed each round (A B, B A, A B ...), so that a machine that grows slower or faster is as much
    for one as for the other.
    """
    shared = await make_topics(broker, f"{kind}-shared-")
    messages = load(broker, shared, fleet(kind, GPUS, rounds))
    short = await make_topics(broker, f"{kind}-short-")
    few = load(broker, short, fleet(kind, GPUS, PLAIN_ROUNDS))
    names = [name for name in CONTENDERS if name != "release" or released is not None]
    figures: Figures = {name: [] for name in names}
    alone = ["--kind", kind, "--gpus", str(GPUS), "--rounds", str(rounds)]
    common = ["--broker", broker, "--partitions", str(PARTITIONS)]
    for repeat in range(repeats):
        prefix = f"{kind}-{repeat}-"
        raw = await make_topics(broker, prefix)
        load(broker, raw, fleet(kind, GPUS, rounds))
        streamed = [*common, "--messages", str(messages), "--topic", raw, "--prefix", prefix]
        arguments = {
            "bare_step": alone,
            "in_memory": [*alone, "--partitions", str(PARTITIONS)],
            "bare": [*common, "--messages", str(messages), "--topic", shared],
            "plain_faust": [*common, "--messages", str(few), "--topic", short, "--prefix", prefix],
        }
        for name in reversed(names) if repeat % 2 else names:
            if name == "release" and released is not None:
                figures[name].append(contend("bare_step", *alone, folder=released))
            else:
                figures[name].append(contend(name, *arguments.get(name, streamed)))
        await drop_topics(broker, prefix)
        print(f"  {kind}: round {repeat + 1} of {repeats} done", flush=True)
    for prefix in (f"{kind}-shared-", f"{kind}-short-"):
        await drop_topics(broker, prefix)
    return figures
