"""``make bench``: one table in one run. Ratios are the point: the machine may be shared and noisy."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from schemas.topics import METRICS_RAW
from streams.embedded.kafka import EmbeddedKafka
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.bench.messages import fleet
from tests.bench.parts import measure

GPUS: Final = 1000
PARTITIONS: Final = 8
ROUNDS: Final = 120
PLAIN_ROUNDS: Final = 10
CONTENDERS: Final = {
    "bare": "bare aiokafka: fetch and decode",
    "in_memory": "the step alone, in memory",
    "role": "role score, checkpoints each second",
    "bytewax_flow": "Bytewax with the step, no checkpoint",
    "bytewax_recovery": "Bytewax with the step, its recovery each second",
    "plain_faust": "plain Faust, the step and a table write a message",
}
TIMEOUT_SECONDS: Final = 300
IN_TURN: Final = ("role", "bytewax_flow", "bytewax_recovery")
_SUMMARY: Final = {
    "overhead_us": "overhead beside the step, us: role score",
    "bytewax_overhead_us": "overhead beside the step, us: Bytewax",
    "bytewax_recovery_overhead_us": "overhead beside the step, us: Bytewax, recovery",
    "against_bytewax": "role score against Bytewax, times",
    "against_bytewax_recovery": "role score against Bytewax, recovery, times",
    "against_plain_faust": "role score against plain Faust, times",
    "against_bare": "role score against bare aiokafka, times",
}


def say(text: str = "") -> None:
    print(text, flush=True)


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


def contend(name: str, *arguments: str) -> dict[str, float]:
    """Run one contender as a process of its own; return its figures."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.contenders.{name}", *arguments],
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


async def measure_kind(broker: str, kind: str, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Return the figures of every contender and round for messages of ``kind``."""
    rounds = ROUNDS
    shared = await make_topics(broker, f"{kind}-shared-")
    messages = load(broker, shared, fleet(kind, GPUS, rounds))
    short = await make_topics(broker, f"{kind}-short-")
    few = load(broker, short, fleet(kind, GPUS, PLAIN_ROUNDS))
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    common = ["--broker", broker, "--partitions", str(PARTITIONS)]
    for repeat in range(repeats):
        prefix = f"{kind}-{repeat}-"
        raw = await make_topics(broker, prefix)
        load(broker, raw, fleet(kind, GPUS, rounds))
        many = ["--messages", str(messages)]
        figures["bare"].append(contend("bare", *common, *many, "--topic", shared))
        figures["in_memory"].append(
            contend(
                "in_memory",
                *["--kind", kind, "--gpus", str(GPUS), "--partitions", str(PARTITIONS), "--rounds", str(rounds)],
            )
        )
        first = repeat % len(IN_TURN)  # none has the better place each time
        for name in IN_TURN[first:] + IN_TURN[:first]:
            figures[name].append(contend(name, *common, *many, "--topic", raw, "--prefix", prefix))
        figures["plain_faust"].append(
            contend("plain_faust", *common, "--messages", str(few), "--topic", short, "--prefix", prefix)
        )
        await drop_topics(broker, prefix)
        say(f"  {kind}: round {repeat + 1} of {repeats} done")
    for prefix in (f"{kind}-shared-", f"{kind}-short-"):
        await drop_topics(broker, prefix)
    return figures


def microseconds(figures: dict[str, float], what: str = "seconds") -> float:
    return figures[what] / figures["messages"] * 1e6


def table(kind: str, figures: dict[str, list[dict[str, float]]], bytes_a_message: float) -> dict[str, Any]:
    """Print one kind's table and return its figures.

    A shared machine changes its speed between two runs by more than what is compared. An overhead is therefore
    told within a run, beside the step as it ran there, and its median over the rounds; a ratio is the median of
    the ratios of the rounds, in each of which the contenders ran one after the other. Only for role score the
    step is timed by the chunk, so that what the partition's loop adds to the bare step comes from the run in memory.
    """
    cost = {name: [microseconds(one) for one in rounds] for name, rounds in figures.items()}
    beside = {
        name: median(microseconds(one, "beside_seconds") for one in rounds)
        for name, rounds in figures.items()
        if "beside_seconds" in rounds[0]
    }
    loop_us = beside.pop("in_memory")
    beside["role"] += loop_us
    say(f"\nMessages of {kind}: {bytes_a_message:.0f} bytes, {GPUS} GPUs, {PARTITIONS} partitions, us a message")
    say(f"  {'':52}{'best':>8}{'median':>8}{'beside the step':>17}{'messages/s':>12}{'peak MiB':>10}")
    for name, title in CONTENDERS.items():
        peak = max(one["peak_mib"] for one in figures[name])
        told = f"{beside[name]:.1f}" if name in beside else "-"
        best = min(cost[name])
        say(f"  {title:52}{best:8.1f}{median(cost[name]):8.1f}{told:>17}{1e6 / best:12,.0f}{peak:10.0f}")

    def against(name: str) -> float:
        return median(other / role for other, role in zip(cost[name], cost["role"], strict=True))

    summary: dict[str, Any] = {
        "microseconds": {name: {"best": min(costs), "median": median(costs)} for name, costs in cost.items()},
        "overhead_us": beside["role"],
        "loop_us": loop_us,
        "bytewax_overhead_us": beside["bytewax_flow"],
        "bytewax_recovery_overhead_us": beside["bytewax_recovery"],
        "against_bytewax": against("bytewax_flow"),
        "against_bytewax_recovery": against("bytewax_recovery"),
        "against_plain_faust": against("plain_faust"),
        "against_bare": against("bare"),
    }
    for name, unit in _SUMMARY.items():
        say(f"  {unit:52}{summary[name]:8.2f}")
    return summary


async def run(repeats: int, kinds: list[str], out: Path | None) -> None:
    names = ("faust-streaming", "aiokafka", "bytewax", "msgspec", "river", "numpy")
    say(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, "
        + ", ".join(f"{n} {version(n)}" for n in names)
    )
    results: dict[str, Any] = {}
    defaults = Settings()
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as folder:
        server = EmbeddedKafka(Path(folder), cache_dir=defaults.cache_dir, maven_url=defaults.maven_url, heap_mib=512)
        await server.start()
        try:
            for kind in kinds:
                figures = await measure_kind(server.bootstrap, kind, repeats)
                size = sum(len(value) for _, value in fleet(kind, 100, 1)) / 100
                results[kind] = table(kind, figures, size)
        finally:
            await server.stop()
    for kind in kinds:
        say(f"\nThe step for messages of {kind}, by part (us a message, best of three)")
        results[kind]["parts"] = measure(kind)
        for part, cost in results[kind]["parts"].items():
            say(f"  {part:26}{cost:8.2f}")
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["guide", "ours"], choices=["guide", "ours"])
    parser.add_argument("--json", type=Path, help="Write the figures here too")
    given = parser.parse_args()
    asyncio.run(run(given.repeats, given.kinds, given.json))
