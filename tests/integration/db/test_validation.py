"""The guide's validation queries, with the meaning that they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.health_score import Band
from schemas.topics import HEALTH_SCORES, RISK_SCORES
from streams.db.files import queries
from streams.db.pool import Connection
from streams.db.writer import Writer
from tests.integration.db.feeding import event, raw
from tests.unit.agents.view.records import HEALTH, RISK

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
END = START + timedelta(hours=1)
QUERIES = queries("validation")


async def rows(query: Any, database: Connection, **parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) async for row in query(database, **parameters)]


async def feed(writer: Writer, gpu_id: str, minutes: list[int], start: datetime = START) -> None:
    for minute in minutes:
        for second in range(0, 60, 10):
            writer.add(raw(start + timedelta(minutes=minute, seconds=second), gpu_id))
    await writer.flush()


async def score(
    writer: Writer, gpu_id: str, overall: int | None, band: Band | None, at: datetime = START, level: str = "low"
) -> None:
    name = f"{gpu_id}@{at.isoformat()}"
    health = msgspec.structs.replace(
        HEALTH, event_id=name, gpu_id=gpu_id, calculated_at=at.isoformat(), overall_score=overall, band=band
    )
    risk = msgspec.structs.replace(RISK, event_id=name, gpu_id=gpu_id, calculated_at=at.isoformat(), risk_level=level)
    writer.add(event(HEALTH_SCORES, health))
    writer.add(event(RISK_SCORES, risk))
    await writer.flush()


async def test_flow(writer: Writer, database: Connection) -> None:
    await feed(writer, "GPU-1", [0, 1])
    await feed(writer, "GPU-2", [1])
    writer.add(raw(START + timedelta(minutes=1), "host:node-1", metrics={"gpu_count": 8}))
    await writer.flush()
    flow = await QUERIES.flow(database, since=START)
    assert (flow["samples"], flow["gpus"], flow["hosts"]) == (18, 2, 1)
    assert flow["last_time"] == START + timedelta(minutes=1, seconds=50)
    assert flow["seconds_since_last"] > 0
    later = await QUERIES.flow(database, since=START + timedelta(minutes=1))
    assert later["samples"] == 12
    assert (await QUERIES.flow(database, since=END))["samples"] == 0


async def test_rate_per_gpu_shows_a_silent_gpu_first(writer: Writer, database: Connection) -> None:
    await feed(writer, "GPU-full", list(range(60)))
    await feed(writer, "GPU-half", list(range(30)))
    await feed(writer, "GPU-silent", [0], start=START - timedelta(hours=1))
    found = await rows(QUERIES.rate_per_gpu, database, since=START, until=END, default_interval_seconds=10.0)
    assert [row["gpu_id"] for row in found] == ["GPU-silent", "GPU-half", "GPU-full"]
    assert [row["ratio_of_expected"] for row in found] == pytest.approx([0.0, 0.5, 1.0])
    assert [row["samples_per_minute"] for row in found] == pytest.approx([0.0, 3.0, 6.0])


async def test_gaps_are_found_where_there_are_no_rows_at_all(writer: Writer, database: Connection) -> None:
    await feed(writer, "GPU-1", [m for m in range(60) if not 20 <= m < 50])  # a 30-minute outage
    await feed(writer, "GPU-2", [m for m in range(60) if m not in (3, 59)])
    await feed(writer, "GPU-new", list(range(40, 60)))  # not missing before it was there
    found = await rows(QUERIES.gaps, database, since=START, until=END)
    minute = timedelta(minutes=1)
    assert [(row["gpu_id"], row["gap_start"], row["gap_end"], row["minutes"]) for row in found] == [
        ("GPU-2", START + 3 * minute, START + 4 * minute, 1),
        ("GPU-1", START + 20 * minute, START + 50 * minute, 30),
        ("GPU-2", START + 59 * minute, END, 1),
    ]


async def test_latest_scores_are_each_gpus_own_latest(writer: Writer, database: Connection) -> None:
    await score(writer, "GPU-1", 50, "poor", START)
    await score(writer, "GPU-1", 95, "excellent", START + timedelta(minutes=15))
    await score(writer, "GPU-2", 65, "degraded", START + timedelta(minutes=3))
    await score(writer, "GPU-3", None, None, START + timedelta(minutes=4))
    found = await rows(QUERIES.latest_scores, database)
    assert [(row["gpu_id"], row["overall_score"]) for row in found] == [
        ("GPU-2", 65),
        ("GPU-1", 95),
        ("GPU-3", None),
    ]


async def test_degraded_are_the_latest_below_the_limit_worst_first(writer: Writer, database: Connection) -> None:
    await score(writer, "GPU-healed", 20, "poor", START)
    await score(writer, "GPU-healed", 90, "excellent", END)
    await score(writer, "GPU-b", 69, "degraded")
    await score(writer, "GPU-a", 30, "poor")
    await score(writer, "GPU-edge", 70, "fair")
    found = await rows(QUERIES.degraded, database, below=70)
    assert [row["gpu_id"] for row in found] == ["GPU-a", "GPU-b"]
    assert found[0]["penalties"][0]["signal"] == "gpu_temp_celsius"


async def test_distribution_is_in_the_order_of_the_scores(writer: Writer, database: Connection) -> None:
    empty = await rows(QUERIES.distribution, database)
    assert [(row["band"], row["gpus"]) for row in empty] == [
        (band, 0) for band in ("excellent", "good", "fair", "degraded", "poor", "insufficient", "not scored")
    ]
    await score(writer, "GPU-1", 95, "excellent")
    await score(writer, "GPU-2", 40, "poor")
    await score(writer, "GPU-3", 41, "poor")
    await score(writer, "GPU-4", None, None)
    await score(writer, "GPU-5", 100, "insufficient")
    found = await rows(QUERIES.distribution, database)
    assert [row["gpus"] for row in found] == [1, 0, 0, 0, 2, 1, 1]


async def test_known_issues_against_scores(writer: Writer, database: Connection) -> None:
    for gpu_id, issue, removed in (
        ("GPU-seen", "Thermal", None),
        ("GPU-missed", "ECC", None),
        ("GPU-risky", "Power", None),
        ("GPU-silent", "Fan", None),
        ("GPU-fine", None, None),
        ("GPU-sold", "Dead", START),
    ):
        await database.execute(
            "INSERT INTO gpu_assets (asset_id, gpu_id, known_issues, removed_at) VALUES ($1, $1, $2, $3)",
            gpu_id,
            issue,
            removed,
        )
    await score(writer, "GPU-seen", 60, "degraded")
    await score(writer, "GPU-missed", 99, "excellent")
    await score(writer, "GPU-risky", 90, "excellent", level="high")
    await score(writer, "GPU-fine", 98, "excellent")
    await score(writer, "GPU-unlisted", 10, "poor")
    found = await rows(QUERIES.known_issues, database, below=70)
    assert [(row["gpu_id"], row["recognised"]) for row in found] == [
        ("GPU-silent", False),
        ("GPU-missed", False),
        ("GPU-seen", True),
        ("GPU-risky", True),
    ]
    summary = await QUERIES.known_issues_summary(database, below=70)
    assert dict(summary) == {
        "recognised": 2,
        "missed": 2,
        "flagged_without_known_issue": 1,
        "healthy": 1,
    }
