"""A worker of role score under load, and what is seen of it from outside."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any

import orjson
import psutil
from aiokafka import AIOKafkaConsumer

from schemas.topics import ALERTS
from streams.embedded.ports import free_port
from streams.kafka.clients import client_options
from streams.settings import Settings


class Worker:
    """Role score as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self.port = free_port()
        environment = {**os.environ, **settings.environment(), "GPU_HEALTH_METRICS_PORT": str(self.port)}
        command = [sys.executable, "-m", "streams", "worker", "--role", "score"]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.usage = psutil.Process(self.process.pid)

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples; 0 while the worker does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*?\}})? (\S+)$", text, re.MULTILINE))

    def memory_mib(self) -> float:
        return float(self.usage.memory_info().rss) / 2**20

    def cpu_seconds(self) -> float:
        times = self.usage.cpu_times()
        return float(times.user + times.system)


class Alerts:
    """Reads committed alerts; ``seen`` is (time, gpu_id) of each gpu_lost that fired."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen: list[tuple[float, str]] = []

    async def run(self, stop: asyncio.Event) -> None:
        reader = AIOKafkaConsumer(
            self.settings.topic(ALERTS),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=10,
            **client_options(self.settings),
        )
        await reader.start()
        try:
            while not stop.is_set():
                for records in (await reader.getmany(timeout_ms=100)).values():
                    now = time.time()
                    for record in records:
                        alert = orjson.loads(record.value)
                        if alert["rule"] == "gpu_lost" and alert["status"] == "firing":
                            self.seen.append((now, alert["gpu_id"]))
        finally:
            await reader.stop()


async def until(condition: Any, seconds: float, what: str) -> float:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"{what} did not happen within {seconds:g} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - began
