"""What role score tells of itself while it works."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import cast

from agents.ports import Output
from agents.score.options import Counts
from agents.score.partition import ScorePartition
from schemas.topics import ALERTS, STATUS
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.telemetry.registry import Telemetry
from streams.telemetry.score import ScoreMetrics


def text(telemetry: Telemetry) -> str:
    return telemetry.exposition().decode()


class Measured(SimpleNamespace):
    """A namespace that can be referred to weakly."""


def logic(partition: int, gpus: int, counts: Counts) -> ScorePartition:
    """Return as much of a partition's logic as is measured."""
    states = {f"GPU-{partition}-{number}": None for number in range(gpus)}
    return cast(ScorePartition, Measured(partition=partition, states=states, counts=counts))


def owning(lags: dict[int, int]) -> OwnedPartitions:
    """Return as much of a worker as is measured: it owns the partitions of ``lags``."""
    return cast(OwnedPartitions, SimpleNamespace(runners=lags, lags=lambda: list(lags.items())))


async def followed(metrics: ScoreMetrics, owned: OwnedPartitions) -> None:
    """Let ``metrics`` look once."""
    try:
        async with asyncio.timeout(0.2):
            await metrics.follow(owned)
    except TimeoutError:
        pass


def test_a_chunk_counts_its_records_and_their_mean_step() -> None:
    telemetry = Telemetry("score")
    ScoreMetrics(telemetry).chunk(1000, 0.014)
    assert 'gpu_health_records_in_total{topic="gpu-metrics-raw"} 1000.0' in text(telemetry)
    assert 'gpu_health_step_seconds_bucket{le="1e-05"} 0.0' in text(telemetry)
    assert 'gpu_health_step_seconds_bucket{le="1.5e-05"} 1.0' in text(telemetry)


def test_a_checkpoint_counts_what_it_said_by_topic() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry)
    metrics.checkpoint([Output(ALERTS, b"a", b"{}"), Output(STATUS, b"a", b"{}"), Output(STATUS, b"b", None)], 0.003)
    metrics.checkpoint([], 0.5)
    assert 'gpu_health_records_out_total{topic="gpu-alerts"} 1.0' in text(telemetry)
    assert 'gpu_health_records_out_total{topic="gpu-status"} 2.0' in text(telemetry)
    assert "gpu_health_checkpoint_seconds_count 2.0" in text(telemetry)
    assert 'gpu_health_checkpoint_seconds_bucket{le="0.005"} 1.0' in text(telemetry)


def test_a_restore_tells_its_time() -> None:
    telemetry = Telemetry("score")
    ScoreMetrics(telemetry).restored(1.8)
    assert "gpu_health_restore_seconds 1.8" in text(telemetry)


async def test_what_a_partition_counted_is_told_once() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry, every_seconds=0.01)
    counts = Counts(late=Counter(dcgm=3))
    counts.dead["not_json"] = 2
    counts.unknown_names["site"] = 5
    counts.dropped["site", "out_of_range"] = 6
    counts.rekeyed = 7
    watched = logic(0, 4, counts)
    assert metrics.watch(watched) is watched
    other = metrics.watch(logic(1, 5, Counts(late=Counter(dcgm=1))))
    owned = owning({0: 7, 1: 0})
    await followed(metrics, owned)
    assert watched.counts == other.counts == Counts()
    assert "gpu_health_gpus 9.0" in text(telemetry)
    assert 'gpu_health_late_samples_total{source="dcgm"} 4.0' in text(telemetry)
    assert 'gpu_health_dead_letters_total{reason="not_json"} 2.0' in text(telemetry)
    assert 'gpu_health_unknown_names_total{source="site"} 5.0' in text(telemetry)
    assert 'gpu_health_dropped_values_total{reason="out_of_range",source="site"} 6.0' in text(telemetry)
    assert "gpu_health_rekeyed_total 7.0" in text(telemetry)
    assert 'gpu_health_lag_records{partition="0",topic="gpu-metrics-raw"} 7.0' in text(telemetry)


async def test_a_partition_given_up_is_counted_no_more() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry, every_seconds=0.01)
    kept = metrics.watch(logic(0, 4, Counts()))
    gone = logic(1, 5, Counts(late=Counter(dcgm=1)))
    metrics.watch(gone)
    await followed(metrics, owning({0: 0}))
    assert "gpu_health_gpus 4.0" in text(telemetry)
    assert "gpu_health_late_samples_total{" not in text(telemetry)
    assert (kept.counts.late.total(), gone.counts.late.total()) == (0, 1)


async def test_a_partition_whose_state_is_still_read_is_counted_once_it_is_owned() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry, every_seconds=0.01)
    opening = metrics.watch(logic(0, 4, Counts(late=Counter(dcgm=1))))
    await followed(metrics, owning({}))
    assert "gpu_health_gpus 0.0" in text(telemetry)
    await followed(metrics, owning({0: 0}))
    assert "gpu_health_gpus 4.0" in text(telemetry)
    assert opening.counts == Counts()


async def test_a_partition_that_comes_back_is_counted_by_its_new_logic() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry, every_seconds=0.01)
    before, after = logic(0, 4, Counts(late=Counter(dcgm=1))), logic(0, 6, Counts(late=Counter(dcgm=2)))
    metrics.watch(before)
    metrics.watch(after)
    await followed(metrics, owning({0: 0}))
    assert "gpu_health_gpus 6.0" in text(telemetry)
    assert 'gpu_health_late_samples_total{source="dcgm"} 2.0' in text(telemetry)


async def test_a_partition_that_is_lost_has_no_lag_any_more() -> None:
    telemetry = Telemetry("score")
    metrics = ScoreMetrics(telemetry, every_seconds=0.01)
    await followed(metrics, owning({0: 7, 1: 900}))
    await followed(metrics, owning({0: 8}))
    lags = [line for line in text(telemetry).splitlines() if line.startswith("gpu_health_lag_records{")]
    assert lags == ['gpu_health_lag_records{partition="0",topic="gpu-metrics-raw"} 8.0']


def test_sources_that_senders_make_up_share_one_series() -> None:
    telemetry = Telemetry("score")
    telemetry.count_by_source({f"made-up-{number}": 1 for number in range(100)}, {}, {})
    lines = [line for line in text(telemetry).splitlines() if line.startswith("gpu_health_late_samples_total{")]
    assert len(lines) == 33
    assert 'gpu_health_late_samples_total{source="others"} 68.0' in lines
