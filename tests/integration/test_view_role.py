"""Role view on a real broker: two workers, every look-up from either, windows at their owner, one killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from schemas import topics as names
from schemas.times import format_time
from streams.kafka.clients import client_options
from streams.kafka.topics import ensure_topics
from streams.roles.view import free_port
from streams.roles.view_tables import changelog_specs
from streams.settings import Settings
from tests.unit.streams.web.fleet import alert, open_alert, status

GPUS = [f"GPU-{number:03d}" for number in range(40)]
DEADLINE_SECONDS = 60.0
_RUN = (
    "import sys; from streams.roles.run import run; from streams.settings import Settings; "
    "sys.exit(run('view', Settings()))"
)


@dataclass
class View:
    """A running worker."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON; status 0 while nobody listens."""
        try:
            async with self.session.get(self.url + path) as response:
                return response.status, await response.json()
        except aiohttp.ClientError:
            return 0, None

    def tail(self) -> str:
        """Return the end of the worker's log."""
        return self.log.read_text(errors="replace")[-3000:]


async def until(what: str, test: Callable[[], Awaitable[bool]], *views: View) -> None:
    """Poll ``test`` until it holds."""
    limit = time.monotonic() + DEADLINE_SECONDS
    while not await test():
        ended = [view for view in views if view.process.poll() is not None]
        if ended or time.monotonic() > limit:
            told = [await view.get("/readyz") for view in views]
            logs = "\n".join([str(told), *(f"--- {view.url}\n{view.tail()}" for view in ended or views)])
            pytest.fail(f"not in time: {what}\n{logs}")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def worker(settings: Settings, folder: Path) -> AsyncIterator[View]:
    """Run a worker of role view until the block ends."""
    port = free_port("127.0.0.1")
    environment = {
        **os.environ,
        "GPU_HEALTH_BROKER": settings.broker,
        "GPU_HEALTH_TOPIC_PREFIX": settings.topic_prefix,
        "GPU_HEALTH_PARTITIONS": str(settings.partitions),
        "GPU_HEALTH_WEB_PORT": str(port),
        "GPU_HEALTH_SESSION_TIMEOUT_SECONDS": "6",
    }
    log = folder / f"view-{port}.log"
    process = _start(environment, log)
    async with aiohttp.ClientSession() as session:
        try:
            yield View(f"http://127.0.0.1:{port}", process, log, session)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.to_thread(process.wait, 20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _start(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen([sys.executable, "-c", _RUN], env=environment, stdout=out, stderr=subprocess.STDOUT)


@pytest_asyncio.fixture(loop_scope="session")
async def producer(topics: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Return a transactional producer; the topics and the tables' changelogs exist."""
    assert await ensure_topics(topics, changelog_specs(topics)) == []
    options = client_options(topics)
    producer = AIOKafkaProducer(**options, transactional_id=f"{topics.topic_prefix}test")
    await producer.start()
    yield producer
    await producer.stop()


async def publish(producer: AIOKafkaProducer, settings: Settings, records: list[tuple[str, str, object]]) -> None:
    """Publish (topic, key, record) in one transaction; a record that is None is a tombstone."""
    async with producer.transaction():
        for topic, key, record in records:
            value = None if record is None else msgspec.json.encode(record)
            await producer.send_and_wait(settings.topic(topic), value, key.encode())


def statuses(score: int, at: float) -> list[tuple[str, str, object]]:
    """Return a status of each GPU."""
    return [
        (names.STATUS, gpu_id, status(gpu_id, overall_score=score, last_seen=format_time(at), samples=1))
        for gpu_id in GPUS
    ]


async def shows(view: View, score: int) -> bool:
    """Whether ``view`` lists every GPU with ``score``."""
    code, body = await view.get("/gpus/")
    return code == 200 and [gpu["overall_score"] for gpu in body["gpus"]] == [score] * len(GPUS)


@pytest.mark.timeout(240)
async def test_either_of_two_workers_answers_and_one_alone_after_a_kill(
    topics: Settings, producer: AIOKafkaProducer, tmp_path: Path
) -> None:
    now = time.time()
    await publish(producer, topics, statuses(90, now - 3000))
    async with worker(topics, tmp_path) as one, worker(topics, tmp_path) as two:
        views = (one, two)

        async def both_ready() -> bool:
            return all([(await view.get("/readyz"))[0] == 200 for view in views])

        async def both_show(score: int) -> bool:
            return all([await shows(view, score) for view in views])

        await until("both ready", both_ready, *views)
        await until("both know the whole fleet", lambda: both_show(90), *views)

        # Records of a transaction that is aborted are told to nobody.
        await producer.begin_transaction()
        for topic, key, record in statuses(1, now - 100):
            await producer.send_and_wait(topics.topic(topic), msgspec.json.encode(record), key.encode())
        await producer.abort_transaction()
        firing = alert("f1", gpu_id="GPU-000", page=True, severity="critical")
        await publish(
            producer,
            topics,
            [
                *statuses(80, now - 60),
                (names.STATUS, "host:node1", status("host:node1", overall_score=None)),
                (names.ALERTS, "GPU-000", firing),
                (names.ALERTS, "GPU-001", alert("f2", gpu_id="GPU-001")),
                (names.ALERTS, "GPU-001", alert("f2", gpu_id="GPU-001", status="resolved")),
                # As a worker that takes over reads it: what was said before the resolution, once more.
                (names.ALERTS, "GPU-001", alert("f2", gpu_id="GPU-001")),
                (names.HEALTH_SCORES, "GPU-000", {"overall_score": 80, "penalties": []}),
                (names.RISK_SCORES, "GPU-000", {"risk_score": 7, "contributions": []}),
                (names.RECOMMENDATIONS, "GPU-000", {"gpu_id": "GPU-000", "action": "SELL", "margin_usd": 5}),
            ],
        )
        await until("both know the newer scores", lambda: both_show(80), *views)

        async def both_know_the_rest() -> bool:
            found = []
            for view in views:
                _, alerts = await view.get("/alerts/")
                _, explained = await view.get("/gpus/GPU-000/explain/")
                _, advice = await view.get("/recommendations/")
                found += [
                    [entry["fingerprint"] for entry in alerts["alerts"]] == ["f1"],
                    explained["health"] is not None and explained["risk"] is not None,
                    advice["count"] == 1,
                    (await view.get("/gpus/host:node1/"))[0] == 200,
                    (await view.get("/gpus/GPU-none/"))[0] == 404,
                ]
            return all(found)

        await until("both answer every look-up", both_know_the_rest, *views)

        async def windows_routed() -> bool:
            return all([await has_windows(view, gpu_id, 90, 80) for view in views for gpu_id in GPUS])

        await until("windows of every GPU from either worker", windows_routed, *views)
        assert await owners_are_two(one, two)

        one.process.kill()
        await publish(producer, topics, statuses(70, now - 30))
        await until("the survivor follows", lambda: shows(two, 70), two)

        async def windows_survive() -> bool:
            return all([await has_windows(two, gpu_id, 90, 80, 70) for gpu_id in GPUS])

        await until("the survivor has all windows", windows_survive, two)
        _, alerts = await two.get("/alerts/")
        assert [entry["fingerprint"] for entry in alerts["alerts"]] == ["f1"]


async def has_windows(view: View, gpu_id: str, *scores: int) -> bool:
    """Whether the GPU's windows saw exactly ``scores``."""
    code, body = await view.get(f"/gpus/{gpu_id}/windows/")
    if code != 200:
        return False
    extents = [window["overall_score"] for window in body["windows"]]
    return {value for extent in extents for value in (extent["min"], extent["max"], extent["last"])} == set(scores)


async def owners_are_two(one: View, two: View) -> bool:
    """Whether each worker alone holds the windows of some GPUs: the answers above were routed."""
    held = []
    for view in (one, two):
        count = 0
        for gpu_id in GPUS:
            url = f"{view.url}/gpus/{gpu_id}/windows/"
            async with view.session.get(url, headers={"X-GPU-Health-Forwarded": "1"}) as response:
                count += bool((await response.json())["count"])
        held.append(count)
    return all(held)


@pytest.mark.timeout(150)
async def test_a_restart_keeps_what_was_known_and_a_tombstone_forgets(
    topics: Settings, producer: AIOKafkaProducer, tmp_path: Path
) -> None:
    now = time.time()
    lost = status("GPU-000", missing=True, alerts=[msgspec.to_builtins(open_alert())], last_seen=format_time(now))
    await publish(producer, topics, [*statuses(90, now - 60), (names.STATUS, "GPU-000", lost)])
    # Neither is a GpuStatus: they are counted and skipped.
    await publish(producer, topics, [(names.STATUS, "GPU-bad", "text"), (names.STATUS, "GPU-bad", {"a": 1})])
    async with worker(topics, tmp_path) as view:
        await until("known", lambda: whole(view, len(GPUS)), view)
        async with view.session.get(f"{view.url}/metrics") as response:
            text = await response.text()
        assert 'gpu_health_unreadable_records_total{topic="gpu-status"} 2.0' in text
    await publish(producer, topics, [(names.STATUS, "GPU-001", None)])
    async with worker(topics, tmp_path) as view:
        await until("forgotten", lambda: whole(view, len(GPUS) - 1), view)
        code, body = await view.get("/gpus/?sort=worst&limit=1")
        assert (code, body["gpus"][0]["gpu_id"], body["summary"]["missing"]) == (200, "GPU-000", 1)
        assert (await view.get("/gpus/GPU-001/"))[0] == 404


async def whole(view: View, count: int) -> bool:
    """Whether ``view`` is ready and lists ``count`` GPUs."""
    if (await view.get("/readyz"))[0] != 200:
        return False
    code, body = await view.get("/gpus/")
    return code == 200 and body["count"] == count
