"""Doctor on real servers: all well, and each thing that can be wrong with its repair."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import SecretStr

from streams.db.migrate import migrate
from streams.db.pool import connect
from streams.doctor.finding import Finding, exit_code
from streams.doctor.run import diagnose
from streams.feeding.producer import RawProducer
from streams.settings import Settings


def wrong(findings: Sequence[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check and finding.state != "ok"]


async def test_all_is_well(topics: Settings, settings: Settings) -> None:
    await migrate(settings)
    findings = await diagnose(settings, [], [])
    assert exit_code(findings) == 0, findings
    assert not wrong(findings, "broker"), "our own broker has the settings that we ask for"
    assert {finding.check for finding in findings} == {"settings", "broker", "topics", "lag", "database"}
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
