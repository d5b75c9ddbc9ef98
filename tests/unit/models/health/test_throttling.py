"""Time under thermal slowdown and under the power brake: shares of known time, smooth and bounded."""

from __future__ import annotations

from math import exp, isnan

import pytest

from models.gpu.slots import BENIGN_MASK
from models.health import power, thermal
from tests.unit.models.health.gpu import PROFILE, Gpu

DAY = 86_400.0
Bits = pytest.mark.parametrize(("bits", "ratio"), [(32.0, "thermal"), (128.0, "brake")])


def ratio_of(gpu: Gpu, name: str) -> float:
    return thermal.slowdown_ratio(gpu.state) if name == "thermal" else power.brake_ratio(gpu.state)


@Bits
def test_nothing_that_tells_is_nan_and_nothing_told_is_zero(bits: float, ratio: str) -> None:
    silent = Gpu().set(clocks_event_reasons=None)
    silent.run(600.0)
    assert isnan(ratio_of(silent, ratio))
    benign = Gpu().set(clocks_event_reasons=float(BENIGN_MASK))
    benign.run(600.0)
    assert ratio_of(benign, ratio) == 0.0


@Bits
def test_one_sample_of_a_new_gpu_is_a_sample_of_ten_minutes(bits: float, ratio: str) -> None:
    gpu = Gpu().set(clocks_event_reasons=bits)
    gpu.tick()
    assert ratio_of(gpu, ratio) == pytest.approx(10.0 / 600.0)


@Bits
def test_an_hour_now_counts_more_than_its_share_of_the_week(bits: float, ratio: str) -> None:
    gpu = Gpu(interval=300.0)
    gpu.run(6 * DAY)
    gpu.set(clocks_event_reasons=bits)
    gpu.run(1800.0)
    assert ratio_of(gpu, ratio) == pytest.approx(1.0)


def test_the_hour_closed_last_speaks_until_the_open_one_can() -> None:
    gpu = Gpu(interval=60.0)
    gpu.run(DAY)
    gpu.set(clocks_event_reasons=32.0)
    gpu.run(3600.0)
    gpu.set(clocks_event_reasons=0.0)
    gpu.run(300.0)
    assert thermal.slowdown_ratio(gpu.state) == 1.0
    gpu.run(600.0)
    assert thermal.slowdown_ratio(gpu.state) == pytest.approx(1.0 / 25.25, rel=1e-3)


def test_slowdown_leaves_the_score_when_it_leaves_the_window() -> None:
    gpu = Gpu(interval=300.0).set(clocks_event_reasons=32.0)
    gpu.run(3600.0)
    gpu.set(clocks_event_reasons=0.0)
    assert gpu.run(6.9 * DAY).thermal < 100.0
    assert gpu.run(0.2 * DAY).thermal == 100.0


@pytest.mark.parametrize("ratio", [0.001, 0.01, 0.05, 0.5, 1.0])
def test_the_cost_saturates_at_60(ratio: float) -> None:
    expected = 60.0 * (1.0 - exp(-ratio / 0.05))
    assert thermal.slowdown_points(ratio, PROFILE) == pytest.approx(expected)
    assert power.brake_points(ratio, PROFILE) == pytest.approx(expected)


def test_limits_are_the_device_s_own_where_it_tells_them() -> None:
    gpu = Gpu()
    gpu.tick()
    assert thermal.limits(gpu.state, PROFILE) == (75.0, 85.0)
    assert thermal.memory_limit(gpu.state, PROFILE) == 95.0
    gpu.set(gpu_temp_slowdown_celsius=87.0, memory_temp_max_op_celsius=85.0).tick()
    assert thermal.limits(gpu.state, PROFILE) == (73.0, 83.0)
    assert thermal.memory_limit(gpu.state, PROFILE) == 85.0


def test_a_margin_that_is_seldom_there_is_not_judged() -> None:
    gpu = Gpu(interval=60.0)
    gpu.run(5 * 3600.0)
    gpu.set(gpu_temp_margin_celsius=1.0)
    scores = gpu.run(3600.0)
    assert not thermal.judged_by_margin(gpu.state, PROFILE)
    assert scores.thermal == 100.0
