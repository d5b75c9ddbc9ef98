"""10,000 GPUs at a sample each 10 s on this machine: role score with the broker.

``python -m tests.bench.fleet_10k`` prints memory a GPU, state bytes a raw byte, the share of a core, the
latency from sample to committed alert, and what a kill -9 costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from schemas.times import format_time
from schemas.topics import METRICS_RAW, STATE
from streams.embedded.kafka import EmbeddedKafka
from streams.kafka.clients import client_options
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.bench.live import Alerts, Worker, until
from tests.bench.messages import fleet

INTERVAL_SECONDS: Final = 10.0
PARTITIONS: Final = 24
SLICE_SECONDS: Final = 0.05


def say(text: str) -> None:
    print(text, flush=True)


class Load:
    """Sends every GPU's sample once in INTERVAL_SECONDS, spread evenly, with an XID 79 now and then."""

    def __init__(self, settings: Settings, gpus: int) -> None:
        self.settings = settings
        self.topic = settings.topic(METRICS_RAW)
        self.rows = [(key, orjson.loads(value)) for key, value in fleet("ours", gpus, 1)]
        self.sent_at: dict[str, float] = {}
        self.raw_bytes = 0
        self.sent = 0
        self.late_seconds = 0.0
        self.faults = False

    async def run(self, stop: asyncio.Event) -> None:
        producer = AIOKafkaProducer(
            **client_options(self.settings), compression_type="lz4", linger_ms=5, max_batch_size=256 * 1024
        )
        await producer.start()
        began = time.monotonic()
        index = tick = 0
        a_slice = max(1, round(len(self.rows) * SLICE_SECONDS / INTERVAL_SECONDS))
        try:
            while not stop.is_set():
                now = time.time()
                for _ in range(a_slice):
                    key, body = self.rows[index]
                    await producer.send(self.topic, self._message(body, now), key)
                    index = (index + 1) % len(self.rows)
                tick += 1
                if self.faults and tick % 10 == 0:
                    await producer.send(self.topic, *self._fault(tick, now))
                self.late_seconds = max(self.late_seconds, time.monotonic() - began - tick * SLICE_SECONDS)
                await asyncio.sleep(max(0.0, began + tick * SLICE_SECONDS - time.monotonic()))
        finally:
            await producer.stop()

    def _message(self, body: dict[str, Any], now: float) -> bytes:
        body["timestamp"] = format_time(now)
        body["metrics"]["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"] += 5_900_000
        value = orjson.dumps(body)
        self.raw_bytes += len(value)
        self.sent += 1
        return value

    def _fault(self, tick: int, now: float) -> tuple[bytes, bytes]:
        key, body = self.rows[tick * 7919 % len(self.rows)]  # a prime: another GPU each time
        gpu_id = key.decode()
        self.sent_at.setdefault(gpu_id, time.time())
        event = {"type": "xid", "code": 79, "timestamp": now, "line": f"NVRM: Xid 79 {tick}"}
        fault = {"gpu_id": gpu_id, "host_id": body["host_id"], "timestamp": format_time(now), "metrics": {}}
        return orjson.dumps({**fault, "events": [event]}), key


def log_bytes(folder: Path, topic: str) -> int:
    """Return the bytes of a topic's segments on disk."""
    return sum(path.stat().st_size for path in folder.rglob("*.log") if path.parent.name.rpartition("-")[0] == topic)


async def run(gpus: int, seconds: float, out: Path | None) -> None:
    defaults = Settings()
    with tempfile.TemporaryDirectory(prefix="gh-10k-") as name:
        folder = Path(name)
        server = EmbeddedKafka(folder, cache_dir=defaults.cache_dir, maven_url=defaults.maven_url, heap_mib=768)
        await server.start()
        try:
            figures = await measure(folder, server.bootstrap, gpus, seconds)
        finally:
            await server.stop()
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


async def measure(folder: Path, broker: str, gpus: int, seconds: float) -> dict[str, float]:
    settings = Settings(broker=broker, partitions=PARTITIONS, topic_prefix="f-", web_port=0)
    await ensure_topics(settings)
    stop = asyncio.Event()
    load, alerts = Load(settings, gpus), Alerts(settings)
    worker = Worker(settings)
    await until(lambda: worker.metric("gpu_health_role_info") > 0, 60, "the worker's start")
    await asyncio.sleep(3)
    empty_mib = worker.memory_mib()
    tasks = [asyncio.create_task(load.run(stop)), asyncio.create_task(alerts.run(stop))]
    figures: dict[str, float] = {"gpus": gpus}
    try:
        await until(lambda: worker.metric("gpu_health_gpus") >= gpus, 120, "the first sample of every GPU")
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        load.faults = True
        state, raw, sent = log_bytes(folder, "f-" + STATE), load.raw_bytes, load.sent
        cpu, began = worker.cpu_seconds(), time.monotonic()
        await asyncio.sleep(seconds)
        elapsed = time.monotonic() - began
        figures["messages_per_second"] = (load.sent - sent) / elapsed
        figures["core_share"] = (worker.cpu_seconds() - cpu) / elapsed
        figures["state_bytes_a_raw_byte"] = (log_bytes(folder, "f-" + STATE) - state) / (load.raw_bytes - raw)
        figures["kib_a_gpu"] = (worker.memory_mib() - empty_mib) * 1024 / gpus
        figures["lag_records"] = worker.metric("gpu_health_lag_records")
        waits = sorted(at - load.sent_at[gpu] for at, gpu in alerts.seen if gpu in load.sent_at)
        cuts = quantiles(waits, n=100)
        figures["alerts"] = len(waits)
        figures["alert_p50_ms"], figures["alert_p99_ms"] = cuts[49] * 1000, cuts[98] * 1000
        say(
            f"{gpus} GPUs: {figures['messages_per_second']:.0f} messages/s, "
            f"{figures['core_share']:.0%} of a core, {figures['kib_a_gpu']:.1f} KiB a GPU, lag "
            f"{figures['lag_records']:.0f}, {figures['state_bytes_a_raw_byte']:.3f} state bytes on disk a raw byte "
            f"(as sent, before compression)"
        )
        say(
            f"sample to committed alert: P50 {figures['alert_p50_ms']:.0f} ms, P99 {figures['alert_p99_ms']:.0f} ms "
            f"({len(waits)} alerts)"
        )
        await kill(worker, settings, alerts, load, figures)
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    return figures


async def kill(worker: Worker, settings: Settings, alerts: Alerts, load: Load, figures: dict[str, float]) -> None:
    """Kill the worker, start another at once, and wait for its first alert."""
    killed = time.time()
    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()
    survivor = Worker(settings)
    try:

        def told_after() -> list[float]:
            return [at for at, gpu in alerts.seen if load.sent_at.get(gpu, 0.0) > killed]

        await until(lambda: bool(told_after()), 60, "an alert after the kill")
        figures["first_alert_after_kill_seconds"] = min(told_after()) - killed
        await asyncio.sleep(3)
        figures["restore_seconds"] = survivor.metric("gpu_health_restore_seconds")
        say(
            f"kill -9, started again at once: first alert {figures['first_alert_after_kill_seconds']:.1f} s after it "
            f"(session time-out {settings.session_timeout_seconds:g} s); restore of a partition, all at once: "
            f"{figures['restore_seconds']:.2f} s"
        )
        for fault in [gpu for gpu, at in load.sent_at.items() if at < time.time() - 10]:
            if not any(gpu == fault for _, gpu in alerts.seen):
                say(f"an alert is missing: {fault}")
    finally:
        survivor.process.kill()
        survivor.process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet_10k")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    asyncio.run(run(given.gpus, given.seconds, given.json))
