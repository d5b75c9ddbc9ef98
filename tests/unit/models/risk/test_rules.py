"""The rule score: parts, floors, levels."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk import rules
from schemas.risk_score import RiskLevel
from tests.unit.models.risk.gpu import Gpu

HOUR = 3600.0
REAL = st.floats(min_value=0.0, max_value=1e12)


def test_parts_sum_to_100() -> None:
    parts = rules.CORRECTED_POINTS + rules.UNCORRECTED_POINTS + rules.THROTTLE_POINTS + rules.THERMAL_POINTS
    assert parts == 100.0


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, "low"),
        (25, "low"),
        (26, "medium"),
        (50, "medium"),
        (51, "high"),
        (75, "high"),
        (76, "critical"),
        (100, "critical"),
    ],
)
def test_levels_are_total_at_the_guides_bins(score: int, level: RiskLevel) -> None:
    assert rules.level(score) == level


@given(a=REAL, b=REAL)
def test_each_part_is_bounded_and_monotone(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    for part, most in ((rules.corrected_points, 40.0), (rules.throttle_points, 20.0)):
        assert 0.0 <= part(low) <= part(high) <= most
    assert 0.0 <= rules.thermal_excess(low, 75.0, 85.0) <= rules.thermal_excess(high, 75.0, 85.0) <= 1.0


def test_unmeasured_heat_costs_nothing() -> None:
    assert rules.thermal_excess(nan, 75.0, 85.0) == 0.0
    assert rules.thermal_excess(-inf, 75.0, 85.0) == 0.0


def test_limits_that_lie_together_do_not_divide_by_zero() -> None:
    assert rules.thermal_excess(90.0, 85.0, 75.0) == 1.0


def test_healthy_gpu_is_low() -> None:
    risk = Gpu().run(2 * HOUR)
    assert (risk.risk_score, risk.level, risk.evidence_floor) == (0, "low", False)
    assert risk.probability_30d == pytest.approx(risk.fleet_probability_30d)


def test_one_old_corrected_error_is_one_error() -> None:
    gpu = Gpu()
    risk = gpu.run(3 * HOUR, ecc_sbe_volatile_total=1.0)
    assert risk.risk_score == 0  # the counter's standing value is a baseline
    gpu.run(10.0, ecc_sbe_volatile_total=2.0)
    risk = gpu.run(3 * HOUR, ecc_sbe_volatile_total=2.0)
    assert risk.points[0] == pytest.approx(rules.corrected_points(1.0))
    assert risk.level == "low"


def test_corrected_error_storm_is_medium() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    risk = gpu.run(HOUR, ecc_sbe_volatile_total=20_000.0)
    assert (risk.risk_score, risk.level, risk.evidence_floor) == (40, "medium", False)


def test_idle_and_power_cap_are_no_throttle_events() -> None:
    risk = Gpu().run(HOUR, clocks_event_reasons=float(0x1 | 0x4))
    assert risk.risk_score == 0


def test_throttle_events_are_episodes() -> None:
    gpu = Gpu()
    for _ in range(3):
        gpu.run(300.0, clocks_event_reasons=float(0x40))
        risk = gpu.run(600.0)
    assert risk.fast[2] == 3.0
    assert risk.points[2] == pytest.approx(6.0)


def test_heat_scores_from_warm_to_hot_and_ten() -> None:
    assert Gpu().run(HOUR, gpu_temp_celsius=75.0).points[3] == 0.0
    assert Gpu().run(HOUR, gpu_temp_celsius=85.0).points[3] == pytest.approx(5.0)
    assert Gpu().run(HOUR, gpu_temp_celsius=95.0).points[3] == pytest.approx(10.0)


def test_heat_is_judged_by_the_devices_own_limit() -> None:
    risk = Gpu().run(HOUR, gpu_temp_celsius=85.0, gpu_temp_slowdown_celsius=99.0)
    assert risk.points[3] == 0.0


def test_heat_is_judged_by_the_margin_where_there_is_one() -> None:
    assert Gpu().run(HOUR, gpu_temp_celsius=60.0, gpu_temp_margin_celsius=2.0).points[3] == pytest.approx(5.0)
    assert Gpu().run(HOUR, gpu_temp_celsius=85.0, gpu_temp_margin_celsius=20.0).points[3] == 0.0


def test_uncorrected_error_is_high_for_30_days_and_no_more() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    risk = gpu.run(10.0, ecc_dbe_volatile_total=1.0)
    assert (risk.risk_score, risk.level, risk.evidence_floor, risk.replace_class) == (51, "high", True, False)
    risk = gpu.run(28 * 24 * HOUR, step=HOUR, ecc_dbe_volatile_total=1.0)
    assert risk.level == "high"
    risk = gpu.run(4 * 24 * HOUR, step=HOUR, ecc_dbe_volatile_total=1.0)
    assert (risk.level, risk.evidence_floor) == ("low", False)


@pytest.mark.parametrize("kind", sorted(rules.UNCORRECTED_KINDS))
def test_uncorrected_evidence_is_high(kind: str) -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    gpu.note(kind)
    assert gpu.run(10.0).level == "high"


@pytest.mark.parametrize("kind", sorted(rules.REPLACE_KINDS))
def test_replace_evidence_is_critical_while_it_stands(kind: str) -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    gpu.note(kind)
    risk = gpu.run(10.0)
    assert (risk.risk_score, risk.level, risk.evidence_floor, risk.replace_class) == (76, "critical", True, True)
    del gpu.state.evidence[kind]
    risk = gpu.run(10.0)
    assert (risk.level, risk.replace_class) == ("low", False)


@pytest.mark.parametrize("flag", ["row_remap_failed", "sram_threshold_exceeded", "memory_unrepairable"])
def test_replace_flag_is_critical_and_clears(flag: str) -> None:
    gpu = Gpu()
    assert gpu.run(10.0, **{flag: 1.0}).level == "critical"
    assert gpu.run(10.0, **{flag: 0.0}).level == "low"


def test_other_evidence_has_no_floor() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    gpu.note("xid:13")
    gpu.note("xid:119")
    risk = gpu.run(10.0)
    assert (risk.risk_score, risk.evidence_floor) == (0, False)
