"""Role notify on a real broker with a real receiver: nothing lost, nothing unsigned, one page a fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.alert import AlertEvent
from schemas.notification import Notification
from schemas.status import GpuStatus
from schemas.topics import ALERTS, NOTIFICATIONS, STATUS
from streams.clock import SystemClock
from streams.kafka.clients import client_options
from streams.leading.leader import Leader
from streams.notify.led import SCOPE, NotifyLed
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from tests.chaos.truth import read_topic
from tests.integration.notify_receiver import new_receiver, until, worker
from tests.unit.agents.notify.notifying import T0, alert, resolved, status


def now() -> float:
    """Return how many seconds after T0 it is."""
    return time.time() - T0


@asynccontextmanager
async def producing(settings: Settings, transactional_id: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer; a transactional one is timed out by the broker after 2 s."""
    options = client_options(settings)
    if transactional_id is not None:
        options |= {"transactional_id": transactional_id, "transaction_timeout_ms": 2000}
    producer = AIOKafkaProducer(**options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def publish(settings: Settings, *records: AlertEvent | GpuStatus, ahead: float = 0.0) -> None:
    """Publish as role score does; ``ahead``: seconds that their time lies in the future."""
    at_ms = int((time.time() + ahead) * 1000)
    async with producing(settings) as producer:
        for record in records:
            topic = ALERTS if isinstance(record, AlertEvent) else STATUS
            key = (record.gpu_id or "").encode()
            await producer.send_and_wait(
                settings.topic(topic), msgspec.json.encode(record), key=key, timestamp_ms=at_ms
            )


async def notifications(settings: Settings) -> list[Notification]:
    """Return every committed decision."""
    return [
        msgspec.json.decode(record.value, type=Notification) async for record in read_topic(settings, NOTIFICATIONS)
    ]


async def test_an_alert_is_told_once_signed_and_its_resolve_after_a_restart(topics: Settings, tmp_path: Path) -> None:
    receiver = new_receiver()
    fired = alert(at=now(), summary="first")
    async with receiver.listening():
        with worker(topics, tmp_path, receiver) as one:
            await until("leading", lambda: one.says("Leading"), one.log)
            await publish(topics, fired)
            await until("the page", lambda: len(receiver.taken) == 1, one.log)
        with worker(topics, tmp_path, receiver, "two") as two:
            await publish(topics, resolved(fired, now()), alert(gpu="GPU-2", at=now(), summary="second"))
            await until("the rest", lambda: len(receiver.taken) == 3, two.log)
    # A page goes before a resolve only where they are of different incidents.
    assert sorted(receiver.told()) == [("first", "firing"), ("first", "resolved"), ("second", "firing")]
    assert receiver.told()[0] == ("first", "firing")
    assert receiver.forged == []
    recorded = await notifications(topics)
    assert {one.notification_id for one in recorded} == {id for id, _ in receiver.taken}
    assert [one.reason for one in recorded] == ["first_firing", "resolved", "first_firing"]


async def test_a_receiver_that_was_down_is_told_after_a_restart_of_the_role(topics: Settings, tmp_path: Path) -> None:
    receiver = new_receiver()
    with worker(topics, tmp_path, receiver) as one:
        await until("leading", lambda: one.says("Leading"), one.log)
        await publish(topics, alert(at=now(), summary="kept"))
        await until("the failure", lambda: one.says("cannot be told now"), one.log)
    (recorded,) = await notifications(topics)
    async with receiver.listening():
        with worker(topics, tmp_path, receiver, "two") as two:
            await until("the page", lambda: len(receiver.taken) == 1, two.log)
    assert receiver.taken[0][0] == recorded.notification_id
    assert await notifications(topics) == [recorded]


async def test_a_leader_killed_between_commit_and_send_leaves_it_to_the_next(
    topics: Settings, tmp_path: Path
) -> None:
    receiver = new_receiver()
    receiver.hangs = True
    async with receiver.listening():
        with worker(topics, tmp_path, receiver) as leader:
            await until("leading", lambda: leader.says("Leading"), leader.log)
            with worker(topics, tmp_path, receiver, "standby") as standby:
                await until("standing by", lambda: standby.says("Standing by"), standby.log)
                await publish(topics, alert(at=now(), summary="killed"))
                await until("an attempt", lambda: len(receiver.tried) == 1, leader.log)
                receiver.hangs = False
                leader.kill()
                await publish(topics, alert(gpu="GPU-2", at=now(), summary="after"))
                await until("both pages", lambda: len(receiver.taken) == 2, standby.log)
    assert sorted(receiver.told()) == [("after", "firing"), ("killed", "firing")]
    assert receiver.tried[0] in {id for id, _ in receiver.taken}
    assert len(await notifications(topics)) == 2


async def test_what_a_killed_scorer_left_open_pages_nobody(topics: Settings, tmp_path: Path) -> None:
    receiver = new_receiver()
    async with receiver.listening():
        with worker(topics, tmp_path, receiver) as one:
            await until("leading", lambda: one.says("Leading"), one.log)
            async with producing(topics, f"{topics.topic_prefix}scorer") as scorer:
                await scorer.begin_transaction()
                await scorer.send_and_wait(
                    topics.topic(ALERTS), msgspec.json.encode(alert(at=now(), summary="never said")), key=b"GPU-1"
                )
                # Committed behind it: told only when the broker has ended the open transaction.
                await publish(topics, alert(gpu="GPU-2", at=now(), summary="said"))
                await until("the page", lambda: len(receiver.taken) >= 1, one.log)
    assert receiver.told() == [("said", "firing")]
    assert [one.summary for one in await notifications(topics)] == ["said"]


class ShiftedClock(SystemClock):
    """The system's clock, ahead by ``shift`` seconds."""

    shift = 0.0

    def time(self) -> float:
        """Return epoch seconds."""
        return super().time() + self.shift


async def test_a_lost_host_is_one_page_and_its_event_is_said_once(topics: Settings) -> None:
    """The records' own times drive the clock: five minutes pass at once."""
    failures: list[BaseException] = []
    clock = ShiftedClock()
    gpus = [f"GPU-{number}" for number in range(4)]
    telemetry = Telemetry("notify")
    led = NotifyLed(topics, (), clock=clock, telemetry=telemetry)
    leader = Leader(topics, SCOPE, led, clock=clock, telemetry=telemetry, fail=failures.append)
    await leader.open()
    try:
        await publish(topics, *[status(gpu, at=now()) for gpu in gpus])
        gone = [alert("gpu_missing", gpu=gpu, at=now(), summary=gpu) for gpu in gpus]
        await publish(topics, *gone)
        await decided(topics, ["held_for_host"] * 4)
        grouped = ["held_for_host"] * 4 + ["grouped_in_host"] * 4
        for clock.shift, reasons in ((20.0, grouped), (320.0, [*grouped, "first_firing"])):
            await publish(topics, status("GPU-9", at=now() + clock.shift, host="node-9"), ahead=clock.shift)
            await decided(topics, reasons)
    finally:
        await leader.close()
    assert failures == []
    (page,) = [one for one in await notifications(topics) if one.page]
    assert (page.rule, page.scope, page.members) == ("host_missing", "host", gpus)
    said = [msgspec.json.decode(record.value, type=AlertEvent) async for record in read_topic(topics, ALERTS)]
    (host,) = [event for event in said if event.scope == "host"]
    assert (host.rule, host.incident_id) == ("host_missing", page.incident_id)
    assert host.starts_at == max(event.starts_at for event in gone)


async def decided(settings: Settings, reasons: list[str]) -> None:
    """Wait until exactly these decisions are committed, in that order."""
    limit = time.monotonic() + 30.0
    found: list[str] = []
    while time.monotonic() < limit:
        found = [one.reason for one in await notifications(settings)]
        if found == reasons:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"decided {found} where {reasons} were due")
