"""A score explains itself: every point lost, every cap, every input that is missing."""

from __future__ import annotations

import msgspec
import pytest

from models.health.explain import health_score
from models.health.load_model import LoadModel
from models.health.overall import Scores
from schemas.health_score import HealthScore, Penalty
from tests.unit.models.health.gpu import HEALTHY, PROFILE, Gpu, sample

FULL = {
    **HEALTHY,
    "gpu_temp_slowdown_celsius": 89.0,
    "bank_remap_avail_none": 0.0,
    "sram_threshold_exceeded": 0.0,
    "memory_unrepairable": 0.0,
}


def said(gpu: Gpu, scores: Scores) -> HealthScore:
    return health_score(gpu.state, scores, PROFILE)


def rows(record: HealthScore, state: str) -> list[Penalty]:
    return [penalty for penalty in record.penalties if penalty.state == state]


def test_a_healthy_gpu_has_no_penalty_and_names_what_is_missing() -> None:
    gpu = Gpu(FULL)
    record = said(gpu, gpu.run(600.0))
    assert [(p.score, p.signal, p.points, p.state) for p in record.penalties] == [
        ("power", "power_residual_watts", 0.0, "not_measured")
    ]
    assert (record.coverage.thermal, record.coverage.memory, record.coverage.power) == (1.0, 1.0, 0.75)
    assert record.coverage.overall == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"gpu_temp_celsius": 90.0}, [("gpu_temp_mean_7d", 90.0, 75.0, 30.0), ("gpu_temp_max_7d", 90.0, 85.0, 25.0)]),
        (
            {"gpu_temp_margin_celsius": 1.0},
            [("gpu_temp_margin_mean_7d", 1.0, 12.0, 22.0), ("gpu_temp_margin_min_7d", 1.0, 2.0, 5.0)],
        ),
        (
            {"memory_temp_celsius": 96.0},
            [("memory_temp_mean_7d", 96.0, 90.0, 12.0), ("memory_temp_max_7d", 96.0, 95.0, 5.0)],
        ),
        ({"clocks_event_reasons": 32.0}, [("thermal_slowdown_ratio", 1.0, 0.0, 60.0)]),
        ({"clocks_event_reasons": 128.0}, [("power_brake_ratio", 1.0, 0.0, 60.0)]),
    ],
)
def test_each_penalty_has_its_value_limit_and_points(
    changes: dict[str, float], expected: list[tuple[str, float, float, float]]
) -> None:
    gpu = Gpu(FULL, interval=60.0).set(**changes)
    record = said(gpu, gpu.run(3600.0))
    found = [(p.signal, p.value, p.limit, p.points) for p in rows(record, "measured")]
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        assert got[0] == want[0]
        assert got[1:] == pytest.approx(want[1:], abs=1e-5)


def test_corrected_errors_and_instability_explain_themselves() -> None:
    model = LoadModel(idle_watts=0.0, full_load_watts=300.0, reference_clock_hertz=1.7e9, clock_exponent=0.0)
    gpu = Gpu({**FULL, "power_limit_enforced_watts": 400.0}, interval=60.0, load_model=model.residual_watts)
    gpu.set(energy_joules_total=None)
    gpu.tick()
    gpu.set(ecc_sbe_volatile_total=20.0)
    for minute in range(60):
        gpu.set(power_usage_watts=270.0 + (100.0 if minute % 2 else -100.0))
        scores = gpu.tick()
    corrected, instability = rows(said(gpu, scores), "measured")
    assert (corrected.score, corrected.value, corrected.points) == ("memory", 20.0, 20.0)
    assert instability.limit == 50.0
    assert instability.value is not None
    assert instability.points == pytest.approx((instability.value - 50.0) / 2.0)


def test_points_and_the_score_agree() -> None:
    gpu = Gpu(FULL, interval=60.0).set(gpu_temp_celsius=88.0, clocks_event_reasons=32.0 + 128.0)
    gpu.tick()
    gpu.set(ecc_sbe_volatile_total=7.0)
    scores = gpu.run(3600.0)
    record = said(gpu, scores)
    for name in ("thermal", "memory", "power"):
        lost = sum(p.points for p in record.penalties if p.score == name)
        assert max(100.0 - lost, 0.0) == pytest.approx(getattr(scores, name), abs=1e-9)


def test_caps_name_the_evidence_and_what_they_took() -> None:
    gpu = Gpu(FULL, interval=60.0).set(row_remap_failed=1.0, row_remap_pending=1.0)
    gpu.tick()
    gpu.state.note("xid:79", gpu.time, history=False)
    record = said(gpu, gpu.run(600.0))
    caps = {(p.score, p.signal): (p.limit, p.points) for p in rows(record, "cap")}
    assert caps == {
        ("memory", "row_remap_failed"): (20.0, 80.0),
        ("memory", "row_remap_pending"): (75.0, 0.0),
        ("overall", "row_remap_failed"): (39.0, pytest.approx(64.0 - 39.0)),
        ("overall", "xid:79"): (39.0, 0.0),
    }


def test_evidence_that_came_after_the_scores_is_not_among_their_reasons() -> None:
    gpu = Gpu(FULL)
    gpu.set(row_remap_pending=1.0)
    scores = gpu.tick()
    gpu.state.note("xid:79", gpu.time, history=False)
    record = said(gpu, scores)
    assert [p.signal for p in rows(record, "cap")] == ["row_remap_pending"]
    assert record.overall_score == 89


def test_a_stock_exporter_has_no_memory_score_and_says_why() -> None:
    stock = {
        "gpu_temp_celsius": 40.0,
        "memory_temp_celsius": 0.0,
        "power_usage_watts": 80.0,
        "gpu_util_ratio": 0.0,
        "row_remap_failed": 0.0,
    }
    gpu = Gpu({name: value * 1.0 for name, value in stock.items()})
    record = said(gpu, gpu.run(600.0))
    assert record.memory_score is None
    assert record.partial
    missing = [p.signal for p in rows(record, "not_measured") if p.score == "memory"]
    assert missing[:2] == ["ecc_sbe_volatile_total", "ecc_dbe_volatile_total"]
    assert "row_remap_failed" not in missing
    assert all(p.points == 0.0 for p in rows(record, "not_measured"))


def test_the_record_says_who_when_and_over_how_long() -> None:
    gpu = Gpu(FULL)
    scores = gpu.run(600.0)
    gpu.state.update(sample(gpu.time + 10.0, gpu.metrics, labels={"model": "NVIDIA H100 80GB HBM3"}))
    record = said(gpu, scores)
    assert (record.gpu_id, record.host_id, record.model) == ("GPU-1", "host-1", "NVIDIA H100 80GB HBM3")
    assert record.calculated_at == "2026-02-09T00:09:50.000Z"
    assert record.window_seconds == 610.0
    assert record.profile_version == PROFILE.version
    assert record.link_score is None


def test_the_same_scores_are_the_same_bytes_and_another_time_another_id() -> None:
    one, other = Gpu(FULL), Gpu(FULL)
    first, second = said(one, one.run(600.0)), said(other, other.run(600.0))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert said(one, one.tick()).event_id != first.event_id
