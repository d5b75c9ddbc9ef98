"""A process's metrics and where they are served."""

from __future__ import annotations

import aiohttp
import pytest

from streams.roles.view import free_port
from streams.telemetry.registry import Telemetry
from streams.telemetry.server import MetricsServer


def test_two_processes_share_no_metric() -> None:
    one, two = Telemetry("score"), Telemetry("store", restarts=3)
    one.dead_letters.labels("not_json").inc(2)
    assert 'gpu_health_dead_letters_total{reason="not_json"} 2.0' in one.exposition().decode()
    assert "not_json" not in two.exposition().decode()
    assert "gpu_health_restarts 3.0" in two.exposition().decode()
    assert 'gpu_health_role_info{role="store"} 1.0' in two.exposition().decode()


def test_a_chunk_counts_its_messages_and_its_mean_step() -> None:
    telemetry = Telemetry("score")
    telemetry.observe_chunk(1000, 0.014)
    telemetry.observe_chunk(0, 1.0)
    text = telemetry.exposition().decode()
    assert "gpu_health_samples_total 1000.0" in text
    assert 'gpu_health_step_seconds_bucket{le="1e-05"} 0.0' in text
    assert 'gpu_health_step_seconds_bucket{le="1.5e-05"} 1.0' in text


def test_time_is_observed_also_where_the_block_fails() -> None:
    telemetry = Telemetry("score")
    with pytest.raises(RuntimeError), telemetry.timed(telemetry.checkpoint_seconds):
        raise RuntimeError
    assert "gpu_health_checkpoint_seconds_count 1.0" in telemetry.exposition().decode()


def test_counts_and_lags() -> None:
    telemetry = Telemetry("score")
    telemetry.count_dead_letters({"bad_time": 2})
    telemetry.set_lag("gpu-metrics-raw", [(0, 5), (1, -1)])
    text = telemetry.exposition().decode()
    assert 'gpu_health_dead_letters_total{reason="bad_time"} 2.0' in text
    assert 'gpu_health_lag_records{partition="0",topic="gpu-metrics-raw"} 5.0' in text
    assert 'gpu_health_lag_records{partition="1",topic="gpu-metrics-raw"} 0.0' in text


async def test_metrics_are_served_on_the_port_and_on_no_port_nothing() -> None:
    telemetry = Telemetry("store")
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}/metrics"
    async with (
        MetricsServer(telemetry, "127.0.0.1", port),
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        assert (response.status, response.content_type) == (200, "text/plain")
        assert 'role="store"' in await response.text()
    async with MetricsServer(telemetry, "127.0.0.1", 0):
        pass
