"""Every topic takes garbage, records nested a thousand deep, of a later version, huge or empty: nothing stops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics as names
from schemas.times import format_time
from streams.embedded.ports import free_port
from streams.kafka.clients import client_options
from streams.kafka.topics import topic_specs
from streams.roles.run import ROLES
from streams.settings import Settings
from streams.setup import prepare
from tests.integration.notify_receiver import SECRET_TEXT, new_receiver, receivers_file, until

GPU = "GPU-79797979-0000-4000-8000-000000000079"
# A state of a role's own that cannot be read must stop the role, not be guessed.
OWN_STATES = {names.STATE, names.NOTIFY_STATE}
# A record of a later version, with what every topic's record has, and more.
LATER = {
    "schema_version": 99,
    "gpu_id": GPU,
    "event_id": "later",
    "fingerprint": "later",
    "status": "smouldering",
    "kind": {"new": True},
    "at": "2031-01-01T00:00:00Z",
    "last_seen": "2031-01-01T00:00:00Z",
    "new_field": [1, 2, {"three": None}],
}
DAMAGES = {
    "garbage": b"\xff\x00\xfe{",
    "nested": b'{"gpu_id": "x", "evidence": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    "nested objects": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "a later version": orjson.dumps(LATER),
    "huge": b'{"gpu_id": "' + b"x" * 900_000 + b'"}',
    "of another type": b'["gpu_id", 7]',
    "empty": b"",
    "a tombstone": None,
}
KEYS = (b"damaged", b"\xff\xfe", b'{"kind":"rules","id":"default","version":"x"}', b"")


Running = dict[str, tuple[subprocess.Popen[bytes], Path]]


@contextmanager
def running(settings: Settings, environment: dict[str, str]) -> Iterator[Running]:
    """Run every role in a process of its own; none may have ended, and each ends in order when told."""
    started: Running = {}
    try:
        for role in ROLES:
            log = settings.data_dir / f"{role}.log"
            with log.open("wb") as out:
                command = [sys.executable, "-m", "streams", "worker", "--role", role]
                started[role] = (subprocess.Popen(command, env=environment, stdout=out, stderr=out), log)
        yield started
        for role, (worker, log) in started.items():
            assert worker.poll() is None, f"{role} ended:\n{log.read_text()[-4000:]}"
            worker.send_signal(signal.SIGTERM)
        codes = {role: worker.wait(30) for role, (worker, _) in started.items()}
        assert codes == dict.fromkeys(ROLES, 0)
    finally:
        for worker, _ in started.values():
            worker.kill()
            worker.wait()


async def damage(settings: Settings) -> None:
    """Put every damage under every key on every topic."""
    async with AIOKafkaProducer(max_request_size=2_000_000, **client_options(settings)) as producer:
        for spec in topic_specs(settings):
            if spec.name in OWN_STATES:
                continue
            for value in DAMAGES.values():
                # Compacted topics take no record without a key: the broker refuses it.
                for key in KEYS if spec.cleanup == "compact" else (*KEYS, None):
                    if value is not None or key is not None:
                        await producer.send(settings.topic(spec.name), value, key)
        await producer.flush()


def lost(at: float) -> list[bytes]:
    """Return two samples of a GPU, the second with an XID 79: an alert, a notification, and rows follow."""
    metrics = {"DCGM_FI_DEV_GPU_TEMP": 55.0, "DCGM_FI_DEV_POWER_USAGE": 300.0, "DCGM_FI_DEV_GPU_UTIL": 90.0}
    line = "NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
    messages: list[dict[str, Any]] = []
    for number in range(2):
        when = format_time(at + 0.1 * number)
        messages.append({"timestamp": when, "gpu_id": GPU, "host_id": "host-79", "metrics": metrics})
        messages[-1] |= {"interval_seconds": 10.0, "labels": {"pci_bus_id": "0000:1b:00"}}
    messages[1]["events"] = [{"type": "xid", "code": 79, "pci_bus_id": "0000:1b:00", "line": line, "timestamp": when}]
    return [orjson.dumps(message) for message in messages]


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("topics")
async def test_damage_on_every_topic_stops_nothing(settings: Settings) -> None:
    await prepare(settings, lambda line: None)
    port = free_port()
    receiver = new_receiver()
    async with receiver.listening():
        environment = {
            **os.environ,
            **settings.environment(),
            "GPU_HEALTH_RECEIVERS": str(receivers_file(settings.data_dir, receiver)),
            "GPU_HEALTH_WEB_PORT": str(port),
            "PAGER_SECRET": SECRET_TEXT,
        }
        await damage(settings)  # a role that starts reads it, and one that runs
        with running(settings, environment) as workers:
            logs = [log for _, log in workers.values()]

            async def ready() -> bool:
                try:
                    async with (
                        aiohttp.ClientSession() as session,
                        session.get(f"http://127.0.0.1:{port}/readyz") as response,
                    ):
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            deadline = time.monotonic() + 60.0
            while not await ready():
                assert time.monotonic() < deadline, logs[1].read_text()[-4000:]
                await asyncio.sleep(0.2)
            await damage(settings)
            async with AIOKafkaProducer(**client_options(settings)) as producer:
                for value in lost(time.time()):
                    await producer.send(settings.topic(names.METRICS_RAW), value, GPU.encode())
                await producer.flush()
            await until("the page of the lost GPU", lambda: bool(receiver.taken), *logs)
            await shown(port, logs)
            await stored(settings, logs)


async def shown(port: int, logs: list[Path]) -> None:
    deadline = time.monotonic() + 30.0
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/alerts/") as response:
                alerts = (await response.json())["alerts"]
            if any(alert["gpu_id"] == GPU and alert["rule"] == "gpu_lost" for alert in alerts):
                return
            assert time.monotonic() < deadline, logs[1].read_text()[-4000:]
            await asyncio.sleep(0.2)


async def stored(settings: Settings, logs: list[Path]) -> None:
    connection = await asyncpg.connect(settings.metrics_dsn.get_secret_value())
    deadline = time.monotonic() + 30.0
    try:
        while not await connection.fetchval("SELECT count(*) FROM gpu_alerts WHERE gpu_id = $1", GPU):
            assert time.monotonic() < deadline, logs[2].read_text()[-4000:]
            await asyncio.sleep(0.2)
        assert await connection.fetchval("SELECT count(*) FROM gpu_health_metrics WHERE gpu_id = $1", GPU) == 2
    finally:
        await connection.close()
