"""Doctor on real servers: all well, and each thing that can be wrong with its repair."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from schemas.dead_letter import DeadLetter, Reason
from schemas.times import format_time
from schemas.topics import DEAD_LETTER, STATUS
from streams.clock import SystemClock
from streams.db.migrate import migrate
from streams.db.pool import connect
from streams.doctor.finding import Finding, exit_code
from streams.doctor.run import diagnose
from streams.feeding.producer import RawProducer
from streams.kafka.clients import client_options
from streams.settings import Settings
from tests.unit.agents.notify.notifying import status


def wrong(findings: Sequence[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check and finding.state != "ok"]


async def test_all_is_well(topics: Settings, settings: Settings) -> None:
    await migrate(settings)
    findings = await diagnose(settings, [], [])
    assert exit_code(findings) == 0, findings
    assert not wrong(findings, "broker"), "our own broker has the settings that we ask for"
    assert {finding.check for finding in findings} == {"settings", "broker", "topics", "lag", "messages", "database"}
    connection = await connect(settings.metrics_dsn.get_secret_value())
    server = str(await connection.fetchval("SHOW server_version"))
    await connection.close()
    assert all(f"PostgreSQL {server}, " in finding.evidence for finding in findings if finding.check == "database")


async def test_waiting_messages_of_a_group_that_never_read_are_told(topics: Settings) -> None:
    producer = RawProducer(topics)
    await producer.start()
    await producer.send([(b"GPU-1", b"{}")])
    assert await producer.flush(30.0)
    await producer.stop()
    lags = wrong(await diagnose(topics, [], ["broker"]), "lag")
    assert [(lag.evidence, lag.repair) for lag in lags] == [
        ("1 messages wait", "gpu-health worker --role score"),
        ("1 messages wait", "gpu-health worker --role store"),
    ]


async def test_absent_topics_and_missing_tables_have_their_command(settings: Settings) -> None:
    findings = await diagnose(settings, [], [])
    assert exit_code(findings) == 1
    assert any("gpu-metrics-raw" in found.what and "gpu-health " in found.repair for found in findings), findings
    assert [finding.repair for finding in wrong(findings, "database")] == ["gpu-health db migrate"] * 2


@pytest.mark.expected_errors
async def test_servers_that_are_away() -> None:
    settings = Settings(broker="127.0.0.1:1", metrics_dsn=SecretStr("postgresql://127.0.0.1:1/x"))
    findings = await diagnose(settings, ["http://127.0.0.1:1/metrics"], [])
    assert [(finding.check, finding.state) for finding in findings] == [
        ("settings", "ok"),
        ("exporter", "problem"),
        ("broker", "problem"),
        ("database", "problem"),
        ("database", "problem"),
    ]
    assert all(finding.repair and finding.evidence for finding in findings[1:])


async def test_what_is_refused_late_or_dated_wrong_is_told(topics: Settings) -> None:
    now = SystemClock().time()
    letter = DeadLetter(
        event_id="1",
        reason=Reason.BAD_TIME,
        detail="'yesterday' is no time",
        topic="t",
        partition=0,
        offset=0,
        key=None,
        payload="",
        payload_bytes=0,
        at=format_time(now),
    )
    late = [status(f"GPU-{number}", source="dcgm", late_samples=number) for number in range(4)]
    wrong = status("GPU-9", host="node-9", source="nvml", clock_ahead_seconds=-7200.0)
    async with AIOKafkaProducer(**client_options(topics)) as producer:
        await producer.send(topics.topic(DEAD_LETTER), msgspec.json.encode(letter))
        await producer.send(topics.topic(DEAD_LETTER), b"[" * 2_000)
        for one in (*late, wrong):
            await producer.send(topics.topic(STATUS), msgspec.json.encode(one), one.gpu_id.encode())
        await producer.flush()
    findings = await diagnose(topics, [], ["broker"])
    told = {finding.what: finding for finding in findings if finding.check in ("messages", "clock")}
    assert "bad_time 1; the newest: 'yesterday' is no time" in told["1 messages were refused in 24 h"].evidence
    late_told = told["6 samples were not newer than their GPU's last, since each was first seen"]
    assert (late_told.state, late_told.evidence) == ("ok", "dcgm 6")
    clocks = told["1 hosts date their samples wrong"]
    assert (clocks.state, clocks.evidence) == ("problem", "node-9 -7200 s")
