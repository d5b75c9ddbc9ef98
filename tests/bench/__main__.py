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
from streams.settings import Settings
from streams.topics import ensure_topics
from tests.bench.messages import fleet
from tests.bench.parts import measure

GPUS: Final = 1000
PARTITIONS: Final = 8
ROUNDS: Final = 120
PLAIN_ROUNDS: Final = 10
CONTENDERS: Final = {
    "bare": "bare aiokafka: fetch and decode",
    "step_alone": "the step alone, in memory",
    "role": "role score, checkpoints each second",
    "bytewax_flow": "Bytewax with the step, no checkpoint",
    "bytewax_recovery": "Bytewax with the step, its recovery each second",
    "plain_faust": "plain Faust, the step and a table write a message",
}
TIMEOUT_SECONDS: Final = 300
_SUMMARY: Final = {
    "overhead_us": "overhead beside the step, us: role score",
    "bytewax_overhead_us": "overhead beside the step, us: Bytewax",
    "bytewax_recovery_overhead_us": "overhead beside the step, us: Bytewax, recovery",
    "against_bytewax": "role score against Bytewax, times",
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
        figures["step_alone"].append(
            contend("step_alone", "--kind", kind, "--gpus", str(GPUS), "--rounds", str(rounds))
        )
        figures["role"].append(contend("role", *common, *many, "--topic", raw, "--prefix", prefix))
        figures["bytewax_flow"].append(contend("bytewax_flow", *common, *many, "--topic", shared))
        figures["bytewax_recovery"].append(contend("bytewax_recovery", *common, *many, "--topic", shared))
        figures["plain_faust"].append(
            contend("plain_faust", *common, "--messages", str(few), "--topic", short, "--prefix", prefix)
        )
        await drop_topics(broker, prefix)
        say(f"  {kind}: round {repeat + 1} of {repeats} done")
    for prefix in (f"{kind}-shared-", f"{kind}-short-"):
        await drop_topics(broker, prefix)
    return figures


def microseconds(figures: dict[str, float]) -> float:
    return figures["seconds"] / figures["messages"] * 1e6


def table(kind: str, figures: dict[str, list[dict[str, float]]], bytes_a_message: float) -> dict[str, Any]:
    """Print one kind's table and return its figures.

    A shared machine only ever adds time, so that the best round is nearest to what the code costs; ratios and
    overheads are those of the best rounds, the medians stand beside them.
    """
    cost = {name: [microseconds(one) for one in rounds] for name, rounds in figures.items()}
    best = {name: min(costs) for name, costs in cost.items()}
    middle = {name: median(costs) for name, costs in cost.items()}
    say(f"\nMessages of {kind}: {bytes_a_message:.0f} bytes, {GPUS} GPUs, {PARTITIONS} partitions, us a message")
    say(f"  {'':52}{'best':>8}{'median':>8}{'messages/s':>12}{'peak MiB':>10}")
    for name, title in CONTENDERS.items():
        peak = max(one["peak_mib"] for one in figures[name])
        say(f"  {title:52}{best[name]:8.1f}{middle[name]:8.1f}{1e6 / best[name]:12,.0f}{peak:10.0f}")
    both = {"best": best, "median": middle}
    summary: dict[str, Any] = {"microseconds": both}
    for what, costs in both.items():
        alone = costs["step_alone"]
        summary[what] = {
            "overhead_us": costs["role"] - alone,
            "bytewax_overhead_us": costs["bytewax_flow"] - alone,
            "bytewax_recovery_overhead_us": costs["bytewax_recovery"] - alone,
            "against_bytewax": costs["bytewax_flow"] / costs["role"],
            "against_plain_faust": costs["plain_faust"] / costs["role"],
            "against_bare": costs["bare"] / costs["role"],
        }
    for name, unit in _SUMMARY.items():
        told = "   ".join(f"{what} {summary[what][name]:.2f}" for what in both)
        say(f"  {unit:52}{told}")
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
