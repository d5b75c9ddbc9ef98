"""An installation of 0.1.0 with a day of data goes on under this version: nothing lost, doubled, or paged again.

Its own files, as git has them, run its roles on real servers; then this version's roles run on what they left.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.ports import Output
from schemas.raw import decode
from schemas.times import format_time, parse_time
from schemas.topics import ALERTS, DEAD_LETTER, EVENTS, HEALTH_SCORES, HOURS, METRICS_RAW, RISK_SCORES
from streams.db.pool import open_pool
from streams.kafka.clients import client_options
from streams.offline.replay import OfflineReplay
from streams.settings import Settings
from tests.bench.release import unpack
from tests.chaos.score_truth import restored
from tests.chaos.truth import read_topic
from tests.integration.notify_receiver import SECRET_TEXT, Receiver, new_receiver, receivers_file

ROLES = ("score", "store", "notify")
GPUS = 5
HOT_GPU = 1
INTERVAL_SECONDS = 60
DAY_SECONDS, AFTER_SECONDS = 86_400, 1_500
# From the first sample: the day ends with three faults open, one of them old enough for the windows to know.
FAULTS = "ecc_trend@2@3600,hot_gpu@1@85200,ecc_uncorrected@0@85800"
DEADLINE_SECONDS = 60.0
_TIMES_THROTTLED = re.compile("VIOLATION|SLOWDOWN|THROTTL|CLOCKS_EVENT_REASON_.*_NS")
COOL = {"DCGM_FI_DEV_GPU_TEMP": 55.0, "DCGM_FI_DEV_GPU_TEMP_LIMIT": 32.0, "DCGM_FI_DEV_MEMORY_TEMP": 60.0}


def simulated() -> tuple[list[bytes], list[bytes]]:
    """Return a day of telemetry up to 40 minutes ago, and the 40 minutes, in which the hot GPU is cool again."""
    began = time.time() - DAY_SECONDS - AFTER_SECONDS
    arguments = ["simulate", "--gpus", str(GPUS), "--interval", str(INTERVAL_SECONDS), "--start", format_time(began)]
    arguments += ["--duration", f"{DAY_SECONDS + AFTER_SECONDS}s", "--faults", FAULTS, "--stdout"]
    done = subprocess.run([sys.executable, "-m", "streams", *arguments], capture_output=True, check=True)
    messages = [line for line in done.stdout.splitlines() if line.startswith(b"{")]
    times = [seconds(message) for message in messages]
    before = [message for message, at in zip(messages, times, strict=True) if at < began + DAY_SECONDS]
    hot = {decode(message).gpu_id for message in before if b"GPU_TEMP" in message}
    assert len(hot) == GPUS
    return before, messages[len(before) :]


def seconds(message: bytes) -> float:
    return parse_time(orjson.loads(message)["timestamp"])


def lost(after_seconds: float) -> list[bytes]:
    """Return two samples of a GPU that is there now, the second with an XID 79 that is not history."""
    gpu_id, began = "GPU-79797979-0000-4000-8000-000000000079", time.time() + after_seconds
    metrics = {"DCGM_FI_DEV_GPU_TEMP": 55.0, "DCGM_FI_DEV_POWER_USAGE": 300.0, "DCGM_FI_DEV_GPU_UTIL": 90.0}
    line = "NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
    messages: list[dict[str, Any]] = []
    for number in range(2):
        at = format_time(began + 10.0 * number)
        messages.append({"timestamp": at, "gpu_id": gpu_id, "host_id": "host-79", "metrics": metrics})
        messages[-1] |= {"interval_seconds": 10.0, "labels": {"pci_bus_id": "0000:1b:00"}}
    messages[1]["events"] = [{"type": "xid", "code": 79, "pci_bus_id": "0000:1b:00", "line": line, "timestamp": at}]
    return [orjson.dumps(message) for message in messages]


def cooled(message: bytes, gpu_id: str) -> bytes:
    """Return ``message`` with low temperatures and no sign of throttling where it is of ``gpu_id``."""
    content = orjson.loads(message)
    if content["gpu_id"] != gpu_id:
        return message
    metrics = {name: value for name, value in content["metrics"].items() if not _TIMES_THROTTLED.search(name)}
    content["metrics"] = metrics
    metrics.update({name: value for name, value in COOL.items() if name in metrics})
    metrics["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"] = 0
    return orjson.dumps(content)


@contextmanager
def running(roles: Iterable[str], home: Path, settings: Settings, receiver: Receiver) -> Iterator[Path]:
    """Run ``roles`` of the version that lies in ``home``; return their common log."""
    environment = {
        **os.environ,
        **settings.environment(),
        "GPU_HEALTH_RECEIVERS": str(receivers_file(settings.data_dir, receiver)),
        "PAGER_SECRET": SECRET_TEXT,
        "PYTHONPATH": str(home),
    }
    log = settings.data_dir / f"roles-of-{home.name}.log"
    workers = []
    with log.open("ab") as out:
        try:
            for role in roles:
                command = [sys.executable, "-m", "streams", "worker", "--role", role]
                workers.append(subprocess.Popen(command, env=environment, cwd=home, stdout=out, stderr=out))
            yield log
            for worker in workers:
                assert worker.poll() is None, log.read_text()[-4000:]
                worker.send_signal(signal.SIGTERM)
            assert [worker.wait(30) for worker in workers] == [0] * len(workers), log.read_text()[-4000:]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


async def once(settings: Settings, home: Path, *arguments: str) -> None:
    """Run one command of the version in ``home``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", *arguments),
        env={**os.environ, **settings.environment(), "PYTHONPATH": str(home)},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def send(settings: Settings, messages: Iterable[bytes]) -> None:
    async with AIOKafkaProducer(**client_options(settings), linger_ms=5) as producer:
        for value in messages:
            await producer.send(settings.topic(METRICS_RAW), value, decode(value).gpu_id.encode())
        await producer.flush()


async def until(what: str, true: Callable[[], Awaitable[bool]], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await true():
        assert time.monotonic() < deadline, f"not in time: {what}\n{log.read_text()[-4000:]}"
        await asyncio.sleep(0.3)


async def records(settings: Settings, topic: str) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) async for record in read_topic(settings, topic) if record.value]


async def taken(settings: Settings, messages: int, receiver: Receiver, pages: int, log: Path) -> None:
    """Wait until ``messages`` are scored and stored, and ``pages`` notifications came."""
    reader = AIOKafkaConsumer(**client_options(settings), group_id=settings.group("score"), enable_auto_commit=False)
    await reader.start()

    async def scored() -> bool:
        tps = [TopicPartition(settings.topic(METRICS_RAW), number) for number in range(settings.partitions)]
        return sum([await reader.committed(tp) or 0 for tp in tps]) == messages

    async def stored() -> bool:
        return await rows(settings) == messages

    async def told() -> bool:
        return len(receiver.taken) >= pages

    try:
        await until("scores", scored, log)
    finally:
        await reader.stop()
    await until("rows", stored, log)
    await until(f"{pages} notifications", told, log)


async def rows(settings: Settings) -> int:
    async with await open_pool(settings.metrics_dsn.get_secret_value()) as pool:
        count: int = await pool.fetchval(
            "SELECT (SELECT count(*) FROM gpu_health_metrics) + (SELECT count(*) FROM gpu_raw_events)"
        )
    return count


def open_alerts(alerts: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the firing alerts by GPU and rule after these events."""
    found = {(event["gpu_id"] or event["host_id"], event["rule"]): event for event in alerts}
    return {key: event for key, event in found.items() if event["status"] == "firing"}


@asynccontextmanager
async def database_agrees(settings: Settings) -> AsyncIterator[None]:
    """After the block, each record on the topics has its one row."""
    yield
    tables = {HEALTH_SCORES: "gpu_health_scores", RISK_SCORES: "gpu_risk_scores", HOURS: "gpu_hours"}
    tables |= {ALERTS: "gpu_alerts", EVENTS: "gpu_events"}
    async with await open_pool(settings.metrics_dsn.get_secret_value()) as pool:
        for topic, table in tables.items():
            ids = [record["event_id"] for record in await records(settings, topic)]
            found = [row["event_id"] for row in await pool.fetch(f"SELECT event_id FROM {table}")]
            assert len(set(ids)) == len(ids), f"{topic} has a record twice"
            assert sorted(found) == sorted(ids), table


async def test_an_installation_of_0_1_0_goes_on(settings: Settings, topics: Settings, tmp_path: Path) -> None:
    former_home, home = tmp_path / "v010", Path(__file__).parents[2]
    former_home.mkdir()
    if unpack(former_home) is None:
        pytest.skip("git does not have the files of 0.1.0 (a shallow clone)")
    day, after = simulated()
    receiver = new_receiver()
    async with receiver.listening(), database_agrees(settings):
        await once(settings, former_home, "prepare")
        with running(ROLES, former_home, settings, receiver) as log:
            await send(settings, day)
            await taken(settings, len(day), receiver, 0, log)
            await send(settings, page := lost(1.0))
            day += page
            await taken(settings, len(day), receiver, 1, log)
        fired = await records(settings, ALERTS)
        were_open = open_alerts(fired)
        hot = next(gpu for gpu, rule in were_open if rule == "thermal_slowdown")
        assert {rule for _, rule in were_open} >= {"thermal_slowdown", "ecc_uncorrected", "row_remap_pending"}, (
            were_open
        )
        paged = len(receiver.taken)

        after = [*(cooled(message, hot) for message in after), *lost(21.0)]
        await once(settings, home, "prepare")
        with running(ROLES, home, settings, receiver) as log:
            await send(settings, after)
            await taken(settings, len(day + after), receiver, paged, log)

    # The alerts that were open went on: none began again, the hot GPU's ended as the incident that it was.
    events = (await records(settings, ALERTS))[len(fired) :]
    for event in events:
        known = were_open.get((event["gpu_id"] or event["host_id"], event["rule"]))
        if known is not None and parse_time(event["starts_at"]) <= parse_time(known["updated_at"]):
            assert (event["incident_id"], event["starts_at"]) == (known["incident_id"], known["starts_at"])
    assert not [event for event in events if event["status"] == "firing" and event["history"]]
    still_open = open_alerts(await records(settings, ALERTS))
    assert {key for key in were_open if key[0] != hot and key[1] != "score_degraded"} <= still_open.keys()
    ended = next(event for event in events if event["rule"] == "thermal_slowdown" and event["gpu_id"] == hot)
    assert (ended["status"], ended["incident_id"]) == ("resolved", were_open[hot, "thermal_slowdown"]["incident_id"])
    notified = Counter(
        (body["data"]["notification"]["incident_id"], body["data"]["notification"]["status"])
        for _, body in receiver.taken
    )
    assert max(notified.values()) == 1, notified

    # Windows and the open hour went on: scores, risk and every hour are as if one version had seen all of it.
    assert await rows(settings) == len(day) + len(after)
    assert await records(settings, DEAD_LETTER) == []
    replay = OfflineReplay()
    outputs = list(replay.run(day + after))
    assert hours(await records(settings, HOURS)) == hours(contents(outputs, HOURS))
    # The newest time stands beside the sums, which two orders of summation may leave apart in the last digits.
    for gpu_id, state in (await restored(settings)).items():
        expected = replay.partition.states[gpu_id]
        assert (state.samples, state.time, state.late_samples) == (expected.samples, expected.time, 0), gpu_id
        if state.is_host:  # has no windows to keep
            continue
        assert list(state.windows.week.sums) == pytest.approx(list(expected.windows.week.sums), rel=1e-6), gpu_id
        assert list(state.hour.sums) == pytest.approx(list(expected.hour.sums), rel=1e-6), gpu_id
        assert state.evidence.keys() == expected.evidence.keys(), gpu_id


def contents(outputs: Iterable[Output], topic: str) -> list[dict[str, Any]]:
    return [orjson.loads(output.value) for output in outputs if output.topic == topic and output.value]


def hours(closed: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, int]]:
    return Counter((hour["gpu_id"], hour["hour"], hour["samples"]) for hour in closed)
