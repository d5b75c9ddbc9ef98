"""How far one machine goes: fleets at a sample each 10 s, role score as one and as two workers, with the broker.

``python -m tests.bench --scale`` prints, for each fleet, what was sent and taken, the lag, and the time from a sample
to its committed alert. Nothing is retried: a fleet that does not fit shows it by its lag.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import orjson
from confluent_kafka import Producer

from schemas.times import format_time
from schemas.topics import METRICS_RAW
from streams.embedded.kafka import EmbeddedKafka
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.bench.live import Alerts, Worker, until
from tests.bench.messages import fleet

FLEETS: Final = ((60_000, 1), (60_000, 2), (100_000, 2))
INTERVAL_SECONDS: Final = 10.0
PARTITIONS: Final = 24
_SLICE_SECONDS: Final = 0.05
_SLICES: Final = round(INTERVAL_SECONDS / _SLICE_SECONDS)
_FAULTS_A_SECOND: Final = 10
_HEAP_MIB: Final = 1024
_START_SECONDS: Final = 60.0


class Load:
    """Sends every GPU's sample once in INTERVAL_SECONDS, and ten XID 79 a second of GPUs that had none.

    GPUs of one slice of time send the same values, made once: what makes messages must not be what is measured.
    """

    def __init__(self, settings: Settings, gpus: int) -> None:
        self._topic = settings.topic(METRICS_RAW)
        self._producer = Producer(
            {
                "bootstrap.servers": settings.broker,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self._body: dict[str, Any] = orjson.loads(next(fleet("ours", 1, 1))[1])
        chance = random.Random(gpus)
        self._heads = [
            (f"GPU-{chance.getrandbits(128):032x}".encode(), b"node-%05d" % (number // 8)) for number in range(gpus)
        ]
        self._faulty = iter(chance.sample(range(gpus), gpus))
        self.sent = 0
        self.late_seconds = 0.0
        self.fault_sent_at: dict[str, float] = {}
        self.faults = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        began = time.monotonic()
        gpus = len(self._heads)
        tick = 0
        while not stop.is_set():
            place = tick % _SLICES
            self._send(self._heads[gpus * place // _SLICES : gpus * (place + 1) // _SLICES], time.time())
            if self.faults and not tick % round(1.0 / _SLICE_SECONDS / _FAULTS_A_SECOND):
                self._send_fault(time.time())
            self._producer.poll(0)
            tick += 1
            due = began + tick * _SLICE_SECONDS
            self.late_seconds = max(self.late_seconds, time.monotonic() - due)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.to_thread(self._producer.flush, 10)

    def _send(self, heads: Sequence[tuple[bytes, bytes]], now: float) -> None:
        body = self._body
        body["timestamp"] = format_time(now)
        body["metrics"]["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"] = round(now * 590_000)
        body["metrics"]["DCGM_FI_DEV_GPU_TEMP"] = 60 + int(now) % 6
        rest = orjson.dumps({name: value for name, value in body.items() if name not in ("gpu_id", "host_id")})[1:]
        for gpu_id, host_id in heads:
            self._producer.produce(self._topic, b'{"gpu_id":"%b","host_id":"%b",%b' % (gpu_id, host_id, rest), gpu_id)
        self.sent += len(heads)

    def _send_fault(self, now: float) -> None:
        gpu_id, host_id = self._heads[next(self._faulty)]
        event = {"type": "xid", "code": 79, "timestamp": now, "line": f"NVRM: Xid 79 {now}"}
        fault = {"gpu_id": gpu_id.decode(), "host_id": host_id.decode(), "timestamp": format_time(now), "metrics": {}}
        self._producer.produce(self._topic, orjson.dumps({**fault, "events": [event]}), gpu_id)
        self.fault_sent_at[gpu_id.decode()] = now


async def run(fleets: Sequence[tuple[int, int]], seconds: float) -> list[dict[str, float]]:
    """Measure each (GPUs, workers) for ``seconds`` after every GPU was heard; print and return the figures."""
    figures = []
    defaults = Settings()
    for gpus, workers in fleets:  # a broker for each: none has the log of the fleet before
        with tempfile.TemporaryDirectory(prefix="gh-scale-") as name:
            server = EmbeddedKafka(
                Path(name), cache_dir=defaults.cache_dir, maven_url=defaults.maven_url, heap_mib=_HEAP_MIB
            )
            await server.start()
            try:
                figures.append(await _measure(server.bootstrap, gpus, workers, seconds))
            finally:
                await server.stop()
        print(line(figures[-1]), flush=True)
    return figures


async def _measure(broker: str, gpus: int, count: int, seconds: float) -> dict[str, float]:
    settings = Settings(broker=broker, partitions=PARTITIONS, topic_prefix="s-", web_port=0)
    await ensure_topics(settings)
    stop = asyncio.Event()
    load, alerts = Load(settings, gpus), Alerts(settings)
    workers = [Worker(settings) for _ in range(count)]
    tasks: list[asyncio.Task[None]] = []

    async def total(name: str) -> float:
        return sum(await asyncio.gather(*(asyncio.to_thread(one.metric, name) for one in workers)))

    try:
        await until(lambda: all(one.metric("gpu_health_role_info") > 0 for one in workers), _START_SECONDS, "a start")
        await asyncio.sleep(4.0)  # the group settles
        tasks += [asyncio.create_task(load.run(stop)), asyncio.create_task(alerts.run(stop))]
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        known = await total("gpu_health_gpus")
        load.faults = True
        sent, taken = load.sent, await total("gpu_health_records_in_total")
        load.late_seconds = 0.0
        cpu, began = sum(one.cpu_seconds() for one in workers), time.monotonic()
        lags = []
        while time.monotonic() - began < seconds:
            await asyncio.sleep(1.0)
            lags.append(await total("gpu_health_lag_records"))
        elapsed = time.monotonic() - began
        waits = sorted(at - load.fault_sent_at[gpu] for at, gpu in alerts.seen if gpu in load.fault_sent_at)
        cuts = quantiles(waits, n=100) if len(waits) > 1 else [float("nan")] * 99
        return {
            "gpus": gpus,
            "workers": count,
            "gpus_known": known,
            "sent_a_second": (load.sent - sent) / elapsed,
            "taken_a_second": (await total("gpu_health_records_in_total") - taken) / elapsed,
            "cores": (sum(one.cpu_seconds() for one in workers) - cpu) / elapsed,
            "memory_mib": sum(one.memory_mib() for one in workers),
            "lag_records": lags[-1],
            "most_lag_records": max(lags),
            "load_late_seconds": load.late_seconds,
            "alerts": len(waits),
            "alert_p50_ms": cuts[49] * 1000,
            "alert_p99_ms": cuts[98] * 1000,
        }
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in workers:
            one.process.kill()
            one.process.wait()


def line(found: dict[str, float]) -> str:
    """Return one fleet's figures as a line."""
    return (
        f"{found['gpus']:.0f} GPUs, {found['workers']:.0f} worker(s), {found['gpus_known']:.0f} known: "
        f"sent {found['sent_a_second']:,.0f}/s, taken {found['taken_a_second']:,.0f}/s "
        f"with {found['cores']:.2f} cores and {found['memory_mib']:,.0f} MiB; "
        f"lag {found['lag_records']:,.0f} (most {found['most_lag_records']:,.0f}); "
        f"sample to committed alert P50 {found['alert_p50_ms']:.0f} ms, P99 {found['alert_p99_ms']:.0f} ms "
        f"({found['alerts']:.0f} alerts); the load was up to {found['load_late_seconds']:.2f} s late"
    )
