"""The original guide's arithmetic, where ours is meant to agree, and the numbers of the profile's first version."""

from __future__ import annotations

import csv
from io import StringIO
from math import isnan

import pytest

from models.gpu.state import GpuState
from models.health.explain import health_score
from models.health.load_model import LoadModel
from models.health.overall import score
from schemas.health_score import whole
from tests.unit.models.health.gpu import HEALTHY, PROFILE, Gpu

# One hour of steady samples: mean and max are then the value itself.
CASES = """\
name,signals,thermal,memory,power,overall
healthy,,100,100,100,100
at warm,gpu_temp_celsius=75,100,100,100,100
mean 80 C costs 10,gpu_temp_celsius=80,90,100,100,96.5
mean 90 C costs 30 and max 90 C costs 25,gpu_temp_celsius=90,45,100,100,80.75
slowdown limit 89 C: as the fallback,gpu_temp_celsius=80 gpu_temp_slowdown_celsius=89,90,100,100,96.5
slowdown limit 100 C: 80 C is not warm,gpu_temp_celsius=80 gpu_temp_slowdown_celsius=100,100,100,100,100
margin 12 C costs nothing,gpu_temp_celsius=80 gpu_temp_margin_celsius=12,100,100,100,100
margin 7 C costs 10,gpu_temp_celsius=60 gpu_temp_margin_celsius=7,90,100,100,96.5
margin 1 C costs 22 and 5,gpu_temp_celsius=60 gpu_temp_margin_celsius=1,73,100,100,90.55
margin stuck at 0,gpu_temp_celsius=60 gpu_temp_margin_celsius=0,100,100,100,100
memory at 92 C: 2 C above limit - 5,memory_temp_celsius=92,96,100,100,98.6
memory at its limit of 85 C,memory_temp_celsius=85 memory_temp_max_op_celsius=85,90,100,100,96.5
idle,clocks_event_reasons=1,100,100,100,100
power cap,clocks_event_reasons=4,100,100,100,100
all that is benign,clocks_event_reasons=279,100,100,100,100
thermal slowdown all the time,clocks_event_reasons=32,40,100,100,79
hardware thermal slowdown all the time,clocks_event_reasons=72,40,100,100,79
power brake all the time,clocks_event_reasons=128,100,100,40,88
unexplained hardware slowdown,clocks_event_reasons=8,100,100,40,88
remap pending,row_remap_pending=1,100,75,100,88.75
remap failed,row_remap_failed=1,100,20,100,39
SRAM threshold,sram_threshold_exceeded=1,100,20,100,39
unrepairable,memory_unrepairable=1,100,20,100,39
a bank with no spare,bank_remap_avail_none=1,100,60,100,82
59 retired pages,page_retired_sbe_total=50 page_retired_dbe_total=9,100,100,100,100
60 retired pages,page_retired_sbe_total=50 page_retired_dbe_total=10,100,40,100,73
recovery action,gpu_recovery_action=1,100,100,100,39
lost,gpu_present=0,100,100,100,39
"""


def _cases() -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(CASES)))


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["name"])
def test_steady_hour(case: dict[str, str]) -> None:
    gpu = Gpu(interval=60.0)
    for assignment in case["signals"].split():
        name, _, value = assignment.partition("=")
        gpu.set(**{name: float(value)})
    scores = gpu.run(3600.0)
    # 20 shares of the scale: 60 (1 - exp(-20)) is 60 but for 1e-7.
    assert scores.thermal == pytest.approx(float(case["thermal"]), abs=1e-5)
    assert scores.memory == pytest.approx(float(case["memory"]), abs=1e-5)
    assert scores.power == pytest.approx(float(case["power"]), abs=1e-5)
    assert scores.overall == pytest.approx(float(case["overall"]), abs=1e-5)


@pytest.mark.parametrize(("errors", "memory"), [(1, 99.0), (49, 51.0), (50, 50.0), (100, 50.0), (9_999, 50.0)])
def test_corrected_errors_of_the_first_day_count_as_one_day(errors: int, memory: float) -> None:
    gpu = Gpu(interval=60.0)
    gpu.tick()
    gpu.set(ecc_sbe_volatile_total=float(errors))
    assert gpu.run(600.0).memory == memory


def test_corrected_errors_are_by_observed_day() -> None:
    gpu = Gpu(interval=300.0)
    gpu.run(300.0)
    gpu.set(ecc_sbe_volatile_total=70.0)
    scores = gpu.run(4 * 86_400.0 - 300.0)
    assert scores.memory == pytest.approx(100.0 - 70.0 / 4.0, abs=1e-6)


def test_a_standing_counter_costs_nothing() -> None:
    gpu = Gpu({**HEALTHY, "ecc_sbe_volatile_total": 1_000_000.0, "ecc_dbe_volatile_total": 3.0}, interval=60.0)
    assert gpu.run(3600.0).overall == 100.0


def test_an_uncorrected_error_caps_memory_at_70_and_the_overall_at_69() -> None:
    gpu = Gpu()
    gpu.tick()
    gpu.set(ecc_dbe_volatile_total=1.0)
    scores = gpu.tick()
    assert (scores.memory, scores.overall) == (70.0, 69.0)


@pytest.mark.parametrize(
    ("kind", "memory", "overall"),
    [
        ("xid:48", 70.0, 69.0),
        ("xid:94", 70.0, 69.0),
        ("xid:62", 100.0, 69.0),
        ("xid:74", 100.0, 69.0),
        ("xid:119", 100.0, 69.0),
        ("xid:145:fatal", 100.0, 69.0),
        ("xid:145", 100.0, 100.0),
        ("xid:13", 100.0, 100.0),
        ("xid_latched:79", 100.0, 100.0),
        ("xid:64", 20.0, 39.0),
        ("xid:140", 20.0, 39.0),
        ("xid:79", 100.0, 39.0),
        ("nvlink_failed", 100.0, 39.0),
        ("corrected_storm", 100.0, 59.0),
    ],
)
def test_events_cap(kind: str, memory: float, overall: float) -> None:
    gpu = Gpu()
    gpu.tick()
    gpu.state.note(kind, gpu.time, history=False)
    scores = gpu.tick()
    assert (scores.memory, scores.overall) == (memory, overall)


def test_one_percent_of_slowdown_costs_11_and_five_percent_38() -> None:
    for share, points in ((0.01, 11), (0.05, 38)):
        gpu = Gpu(interval=10.0)
        gpu.set(sw_thermal_slowdown_seconds_total=0.0)
        gpu.tick()
        for _ in range(59):
            gpu.metrics["sw_thermal_slowdown_seconds_total"] = (
                float(gpu.metrics["sw_thermal_slowdown_seconds_total"] or 0.0) + 10.0 * share * 60 / 59
            )
            scores = gpu.tick()
        assert whole(100.0 - scores.thermal) == points


def test_power_instability_above_50_watts_costs_a_point_for_2_watts() -> None:
    model = LoadModel(idle_watts=100.0, full_load_watts=200.0, reference_clock_hertz=1.7e9, clock_exponent=0.0)
    gpu = Gpu(interval=60.0, load_model=model.residual_watts)
    gpu.set(energy_joules_total=None, power_limit_enforced_watts=400.0)
    for minute in range(60):
        gpu.set(power_usage_watts=280.0 + (70.0 if minute % 2 else -70.0))
        scores = gpu.tick()
    # 59 closed minutes, 30 low and 29 high.
    spread = 70.0 * (1.0 - (1.0 / 59.0) ** 2) ** 0.5
    assert scores.power == pytest.approx(100.0 - (spread - 50.0) / 2.0, abs=1e-3)


def test_weights_and_rounding() -> None:
    gpu = Gpu(interval=60.0)
    gpu.set(gpu_temp_celsius=80.0, clocks_event_reasons=128.0)
    gpu.tick()
    gpu.set(ecc_sbe_volatile_total=9.0)
    scores = gpu.run(3600.0)
    expected = 0.35 * 90.0 + 0.45 * 91.0 + 0.20 * 40.0
    assert scores.overall == pytest.approx(expected, abs=1e-5)  # 80.45
    record = health_score(gpu.state, scores, PROFILE)
    assert (record.overall_score, record.thermal_score, record.memory_score, record.power_score) == (80, 90, 91, 40)
    assert record.band == "good"


def test_nothing_measured_is_null() -> None:
    gpu = Gpu({"fb_used_bytes": 1.0})
    scores = gpu.run(3600.0)
    assert isnan(scores.overall)
    assert scores.partial
    record = health_score(gpu.state, scores, PROFILE)
    assert record.overall_score is None
    assert record.band is None


def test_a_new_state_has_no_score() -> None:
    assert isnan(score(GpuState("GPU-1", "host-1"), PROFILE).overall)
