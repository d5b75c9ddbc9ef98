"""Scores of real recordings: healthy GPUs stay healthy, and what a stock exporter lacks is said."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from models.gpu.state import GpuState
from models.health import evidence
from models.health.explain import health_score
from models.health.overall import score
from schemas.raw import MetricValue, RawMessage, decode
from schemas.sample import to_sample
from schemas.signals import INDEX
from tests.recorded import RECORDINGS, traces
from tests.unit.models.health.gpu import PROFILE, START

STOCK = RECORDINGS / "dcgm" / "l40s_complete.txt"
COLUMNS = {
    "power_w": "power_usage_watts",
    "temp_c": "gpu_temp_celsius",
    "sm_active": "sm_active_ratio",
    "throttle_reasons": "clocks_event_reasons",
    "gpu_util_pct": "util_gpu",
    "energy_mj": "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
}


@pytest.mark.parametrize("trace", traces(), ids=lambda path: path.stem)
def test_healthy_h100s_stay_at_90_or_more(trace: Path) -> None:
    states: dict[str, GpuState] = {}
    lowest: dict[str, float] = {}
    with trace.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            time = float(row["timestamp"])
            metrics: dict[str, MetricValue] = {
                signal: float(row[column]) if row[column] else None for column, signal in COLUMNS.items()
            }
            raw = RawMessage(timestamp=time, gpu_id=row["gpu"], host_id="h", metrics=metrics, interval_seconds=0.1)
            state = states.setdefault(row["gpu"], GpuState(row["gpu"], "h"))
            if not time <= state.time:
                state.update(to_sample(raw, time))
                evidence.observe(state, PROFILE)
                lowest[row["gpu"]] = min(lowest.get(row["gpu"], 100.0), score(state, PROFILE).overall)
    assert len(lowest) == 8
    assert min(lowest.values()) >= 90.0


def test_a_stock_exporter_s_l40s_has_no_memory_score_and_says_why() -> None:
    metrics: dict[str, MetricValue] = {}
    for line in STOCK.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition("{")
            metrics[name] = float(rest.rpartition("}")[2])
    state = GpuState("GPU-1", "h")
    state.update(to_sample(RawMessage(timestamp=START, gpu_id="GPU-1", host_id="h", metrics=metrics), START))
    record = health_score(state, score(state, PROFILE), PROFILE)
    assert record.memory_score is None
    assert record.partial
    assert (record.overall_score, record.thermal_score) == (100, 100)
    missing = {penalty.signal for penalty in record.penalties if penalty.state == "not_measured"}
    assert {"ecc_sbe_volatile_total", "ecc_dbe_volatile_total"} <= missing
    assert "row_remap_failed" not in missing


def test_an_h200_recorded_through_nvml_is_healthy_idle_and_loaded() -> None:
    lines = (RECORDINGS / "h200_nvml_580.jsonl").read_bytes().splitlines()
    state = GpuState("GPU-00000000-0000-4000-8000-db5548a319c0", "recorded-host")
    hottest = 0.0
    for line in lines:
        sample = to_sample(decode(line), 0.0)
        assert (sample.unknown, sample.dropped, sample.blanks) == (0, (), ())
        state.update(sample)
        evidence.observe(state, PROFILE)
        scores = score(state, PROFILE)
        assert (scores.thermal, scores.memory, scores.power) == (100.0, 100.0, 100.0)
        hottest = max(hottest, sample.values[INDEX["gpu_temp_celsius"]])
    assert state.samples == len(lines) == 40
    assert 40.0 < hottest < 60.0
    assert state.lasting[INDEX["gpu_temp_slowdown_margin_celsius"]] == -2.0
    assert state.loaded_seconds == pytest.approx(110.0, abs=1.0)
