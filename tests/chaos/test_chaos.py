"""Each fault once, short; ``python -m tests.chaos`` is the long run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from streams.embedded.kafka import EmbeddedKafka
from streams.settings import Settings
from tests.chaos.run import run_chaos
from tests.chaos.score_truth import SCORE


@pytest_asyncio.fixture(loop_scope="session")
async def chaos_settings(topics: Settings) -> AsyncIterator[Settings]:
    """Return settings with the shortest session that the broker allows, and all topics."""
    yield topics.model_copy(update={"session_timeout_seconds": 6.0})


@pytest.mark.chaos
@pytest.mark.expected_errors
@pytest.mark.timeout(240)
@pytest.mark.parametrize("faults", [("stall", "kill_one", "drain"), ("backlog", "broker_down")])
async def test_nothing_is_lost_or_doubled(
    faults: tuple[str, ...], kafka_server: EmbeddedKafka, chaos_settings: Settings, tmp_path: Path
) -> None:
    """Role score's states and records equal an offline replay of the raw topic, each said once."""
    report = await run_chaos(
        chaos_settings, kafka_server, tmp_path, SCORE, seed=7, faults=faults, rate=300.0, keys=60, backlog=20_000
    )
    assert report.differences == [], "\n".join(report.differences)
    assert report.faults == list(faults)
    assert report.samples > 4_000
    assert report.records > 500
    assert report.worker_starts > 2, "no fault ended a worker"
