"""What one sample adds to a GPU's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    EPISODES,
    LINK_ERRORS,
    LOADED,
    MARGIN,
    MEANS,
    MEMORY_TEMP,
    OBSERVED,
    POWER,
    RESIDUAL_COUNT,
    RESIDUAL_SUM,
    TEMP,
    TEMP_MAX,
    TEMP_SQUARE,
    THERMAL,
    UTIL,
)
from models.gpu.slots import BENIGN_MASK, REMAP_FAILED, SBE, SW_THERMAL
from models.gpu.state import GpuState
from schemas.raw import MetricValue
from tests.unit.models.health.gpu import START, sample


def fed(*rows: tuple[float, Mapping[str, MetricValue]], interval: float = 10.0) -> GpuState:
    """Return a state after samples of (seconds from the start, values)."""
    state = GpuState("GPU-1", "host-1")
    for seconds, metrics in rows:
        state.update(sample(START + seconds, dict(metrics), interval=interval))
    return state


def test_a_sample_stands_for_the_time_since_the_one_before() -> None:
    state = fed((0.0, {}), (12.0, {}), (20.0, {}))
    assert state.hour.sums[OBSERVED] == 10.0 + 12.0 + 8.0
    assert state.gap_seconds == 0.0


def test_after_a_gap_it_stands_for_its_interval_only() -> None:
    state = fed((0.0, {"gpu_temp_celsius": 50.0}), (600.0, {"gpu_temp_celsius": 80.0}))
    assert (state.weight_seconds, state.gap_seconds) == (10.0, 590.0)
    assert state.hour.mean(TEMP, state.windows.week) == 65.0


@pytest.mark.parametrize(
    ("interval", "elapsed", "gap"), [(10.0, 40.0, False), (10.0, 41.0, True), (30.0, 120.0, False)]
)
def test_a_gap_is_longer_than_four_intervals_and_40_seconds(interval: float, elapsed: float, gap: bool) -> None:
    state = fed((0.0, {}), (elapsed, {}), interval=interval)
    assert (state.gap_seconds > 0.0) is gap


def test_lasting_values_stand_until_another_is_measured() -> None:
    state = fed((0.0, {"row_remap_failed": 1.0}), (10.0, {}), (20.0, {"row_remap_failed": None}))
    assert state.lasting[REMAP_FAILED] == 1.0
    state.update(sample(START + 30.0, {"row_remap_failed": 0.0}))
    assert state.lasting[REMAP_FAILED] == 0.0


@pytest.mark.parametrize(
    ("metrics", "load"),
    [
        ({"sm_active_ratio": 0.5, "gpu_util_ratio": 0.9}, 0.5),
        ({"gpu_util_ratio": 0.9, "gr_engine_active_ratio": 0.1}, 0.9),
        ({"gr_engine_active_ratio": 0.1}, 0.1),
    ],
)
def test_load_is_the_best_signal_there_is(metrics: dict[str, MetricValue], load: float) -> None:
    state = fed((0.0, metrics))
    assert state.load_ratio == load
    assert state.hour.mean(UTIL, state.windows.week) == load


def test_time_under_load_is_counted_and_never_falls() -> None:
    rows = [(10.0 * i, {"sm_active_ratio": 0.1 if i % 2 else 0.09}) for i in range(1000)]
    state = fed(*rows)
    assert state.loaded_seconds == 5000.0
    assert state.hour.total(LOADED, state.windows.week) == pytest.approx(5000.0)


# -- power -------------------------------------------------------------------------------------------------


def watts(*energies: float | None) -> list[float]:
    """Return the power that each 10-s sample added, its gauge saying 1 W."""
    state = GpuState("GPU-1", "host-1")
    found = []
    for index, energy in enumerate(energies):
        before = state.hour.sums[POWER]
        metrics: dict[str, MetricValue] = {"power_usage_watts": 1.0, "energy_joules_total": energy}
        state.update(sample(START + 10.0 * index, metrics))
        found.append((state.hour.sums[POWER] - before) / 10.0)
    return found


def test_power_is_the_slope_of_the_energy_counter() -> None:
    assert watts(0.0, 5000.0, 12_000.0, 20_000.0)[2:] == [700.0, 800.0]


def test_a_bad_read_of_the_energy_counter_does_not_double_the_power() -> None:
    assert watts(0.0, 5000.0, 10_000.0, 0.0, 20_000.0, 25_000.0)[3:] == [1.0, 500.0, 500.0]


def test_an_unmeasured_energy_does_not_double_the_power() -> None:
    assert watts(0.0, 5000.0, None, 15_000.0)[3] == 500.0


def test_a_slow_energy_counter_gives_the_mean_since_it_last_rose() -> None:
    assert watts(0.0, 5000.0, 5000.0, 15_000.0)[3] == 500.0


def test_after_a_reset_power_is_the_gauge_once() -> None:
    assert watts(0.0, 5000.0, 10.0, 20.0, 5020.0)[2:] == [1.0, 1.0, 500.0]


@given(st.lists(st.floats(0.0, 1000.0), min_size=3, max_size=20))
def test_energy_in_is_energy_out(powers: list[float]) -> None:
    energy, rows = 0.0, [0.0]
    for power in powers:
        energy += power * 10.0
        rows.append(energy)
    found = watts(*rows)
    if all(power > 0.01 for power in powers):
        assert found[2:] == pytest.approx(powers[1:], rel=1e-6, abs=1e-6)


def test_the_residual_counts_minutes_of_steady_load_only() -> None:
    calls: list[tuple[float, float, float]] = []

    def model(power: float, load: float, clock: float, lasting: Sequence[float]) -> float:
        calls.append((power, load, clock))
        return 5.0

    state = GpuState("GPU-1", "host-1")
    loads = [0.9] * 6 + [0.9, 0.7] * 3 + [0.05] * 6 + [0.8] * 6 + [0.5]
    for index, load in enumerate(loads):
        metrics: dict[str, MetricValue] = {"power_usage_watts": 300.0, "sm_active_ratio": load, "sm_clock_hertz": 1e9}
        state.update(sample(START + 10.0 * index, metrics), model)
    assert calls == pytest.approx(np.array([(300.0, 0.9, 1e9), (300.0, 0.8, 1e9)]))
    assert (state.hour.sums[RESIDUAL_COUNT], state.hour.sums[RESIDUAL_SUM]) == (2.0, 10.0)


# -- throttling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "thermal", "hardware", "brake"),
    [
        (0x1, 0.0, 0.0, 0.0),
        (BENIGN_MASK, 0.0, 0.0, 0.0),
        (0x20, 10.0, 0.0, 0.0),
        (0x40, 10.0, 10.0, 0.0),
        (0x48, 10.0, 10.0, 0.0),
        (0x80, 0.0, 0.0, 10.0),
        (0x88, 0.0, 0.0, 10.0),
        (0x08, 0.0, 0.0, 10.0),
    ],
)
def test_bits_weigh_by_time_and_benign_ones_nothing(bits: int, thermal: float, hardware: float, brake: float) -> None:
    state = fed((0.0, {}), (10.0, {"clocks_event_reasons": float(bits)}))
    assert (state.thermal_seconds, state.hw_thermal_seconds, state.brake_seconds) == (thermal, hardware, brake)


def test_nothing_that_tells_of_throttling_is_nan() -> None:
    state = fed((0.0, {}), (10.0, {}))
    assert isnan(state.thermal_seconds)
    assert isnan(state.brake_seconds)
    assert isnan(state.hour.share(THERMAL, state.windows.week))


def test_counters_are_preferred_to_bits() -> None:
    def row(seconds: float) -> dict[str, MetricValue]:
        return {"sw_thermal_slowdown_seconds_total": seconds, "clocks_event_reasons": 32.0}

    state = fed((0.0, row(100.0)), (10.0, row(102.5)))
    assert state.thermal_seconds == 2.5
    assert state.hour.share(THERMAL, state.windows.week) == 2.5 / 20.0


def test_a_counter_over_a_gap_is_scaled_to_the_observed_time() -> None:
    rows = [(0.0, 0.0), (10.0, 0.0), (1010.0, 500.0)]
    state = fed(*[(at, {"hw_power_brake_seconds_total": value}) for at, value in rows])
    assert state.brake_seconds == 5.0
    assert state.hour.share(BRAKE, state.windows.week) == pytest.approx(5.0 / 30.0)


def test_a_counter_after_a_reset_gives_at_most_the_time_of_the_sample() -> None:
    def row(thermal: float, energy: float) -> dict[str, MetricValue]:
        return {"hw_thermal_slowdown_seconds_total": thermal, "energy_joules_total": energy}

    state = fed((0.0, row(5000.0, 9e9)), (10.0, row(400.0, 7.0)))
    assert state.reset_seen
    assert state.thermal_seconds == 10.0


def test_a_counter_polled_slower_than_the_samples_loses_nothing() -> None:
    rows = [(10.0 * i, {"sw_thermal_slowdown_seconds_total": 30.0 * (i // 3)}) for i in range(31)]
    state = fed(*rows)
    assert state.hour.sums[THERMAL] == 300.0


def test_an_episode_begins_after_five_clean_minutes() -> None:
    thermal = {0, 10, 290, 600, 610, 1000}
    rows = [(float(at), {"clocks_event_reasons": 32.0 if at in thermal else 0.0}) for at in range(0, 1200, 10)]
    assert fed(*rows).hour.sums[EPISODES] == 3.0


def test_the_last_hour_tells_until_the_open_one_holds_ten_minutes() -> None:
    state = GpuState("GPU-1", "host-1")
    for index in range(420):
        bits = 32.0 if index < 360 else 0.0
        state.update(sample(START + 10.0 * index, {"clocks_event_reasons": bits}))
        if index == 370:
            assert state.hour.last_observed_thermal_ratio() == 1.0
    assert state.hour.last_observed_thermal_ratio() == 0.0


def test_one_sample_is_no_whole_share() -> None:
    state = fed((0.0, {"clocks_event_reasons": 64.0}))
    assert state.hour.last_observed_thermal_ratio() == 10.0 / 600.0


# -- margin ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "margin"),
    [
        ({"gpu_temp_margin_celsius": 9.0}, 9.0),
        ({"gpu_temp_margin_celsius": 0.0, "gpu_temp_celsius": 60.0}, None),
        ({"gpu_temp_margin_celsius": 0.0}, None),
        ({"gpu_temp_margin_celsius": 0.0, "gpu_temp_celsius": 85.0}, 0.0),
        ({"gpu_temp_margin_celsius": -2.0, "gpu_temp_celsius": 60.0, "clocks_event_reasons": 32.0}, -2.0),
        ({"gpu_temp_margin_celsius": -1.0, "gpu_temp_celsius": 84.0, "gpu_temp_slowdown_celsius": 87.0}, -1.0),
        ({"gpu_temp_margin_celsius": -1.0, "gpu_temp_celsius": 86.0, "gpu_temp_slowdown_celsius": 95.0}, None),
    ],
)
def test_a_margin_of_zero_or_less_must_be_confirmed(metrics: dict[str, MetricValue], margin: float | None) -> None:
    state = fed((0.0, metrics), (10.0, metrics))
    mean = state.hour.mean(MARGIN, state.windows.week)
    assert isnan(mean) if margin is None else mean == margin


# -- counters into columns, hours, evidence ----------------------------------------------------------------


def test_increments_go_to_their_columns() -> None:
    first: dict[str, MetricValue] = {
        "ecc_sbe_volatile_total": 5.0,
        "nvlink_replay_errors_total": 1.0,
        "nvlink_crc_flit_errors_total": 1.0,
    }
    second: dict[str, MetricValue] = {
        "ecc_sbe_volatile_total": 8.0,
        "nvlink_replay_errors_total": 2.0,
        "nvlink_crc_flit_errors_total": 3.0,
    }
    state = fed((0.0, first), (10.0, second))
    assert state.increments[SBE] == 3.0
    assert (state.hour.sums[CORRECTED], state.hour.sums[LINK_ERRORS]) == (3.0, 3.0)


def test_an_hour_closes_once_with_its_row() -> None:
    state = GpuState("GPU-1", "host-1")
    closed = []
    for index in range(800):
        hour = state.update(sample(START + 10.0 * index, {"gpu_temp_celsius": float(40 + index // 360)}))
        if hour is not None:
            closed.append(hour)
    assert [hour.hour for hour in closed] == [int(START) // 3600, int(START) // 3600 + 1]
    assert [float(hour.row[TEMP]) for hour in closed] == [40.0, 41.0]
    assert [float(hour.row[TEMP_MAX]) for hour in closed] == [40.0, 41.0]
    assert [hour.samples for hour in closed] == [360, 360]


def test_evidence_noted_again_starts_its_clean_time_afresh() -> None:
    state = fed(*[(10.0 * i, {"sm_active_ratio": 0.9}) for i in range(10)])
    state.note("dbe", state.time, history=True)
    state.evidence["dbe"].reset_seen = True
    state.update(sample(START + 100.0, {"sm_active_ratio": 0.9}))
    state.note("dbe", state.time, history=False)
    item = state.evidence["dbe"]
    assert (item.count, item.first_at, item.last_at) == (2, START + 90.0, START + 100.0)
    assert (item.reset_seen, item.history, item.loaded_mark) == (False, False, state.loaded_seconds)


def test_ordinary_samples_leave_the_evidence_record_alone() -> None:
    state = fed((0.0, {"sm_active_ratio": 0.9, "row_remap_failed": 0.0}))
    state.note("dbe", state.time, history=False)
    state.evidence_dirty = False
    for index in range(1, 60):
        state.update(sample(START + 10.0 * index, {"sm_active_ratio": 0.9, "row_remap_failed": 0.0}))
    assert not state.evidence_dirty


def test_a_slot_of_the_sample_is_the_state_s() -> None:
    state = fed((0.0, {"sw_thermal_slowdown_seconds_total": 4.0}))
    assert state.values[SW_THERMAL] == 4.0


def test_every_mean_outlives_its_hour() -> None:
    metrics: dict[str, MetricValue] = {
        "gpu_temp_celsius": 60.0,
        "gpu_temp_margin_celsius": 25.0,
        "memory_temp_celsius": 70.0,
        "sm_active_ratio": 0.5,
        "power_usage_watts": 300.0,
    }
    state = fed(*[(10.0 * i, metrics) for i in range(361)], (7300.0, {}))
    assert {column: state.hour.mean(column, state.windows.week) for column in MEANS} == pytest.approx(
        {TEMP: 60.0, TEMP_SQUARE: 3600.0, MARGIN: 25.0, MEMORY_TEMP: 70.0, UTIL: 0.5, POWER: 300.0}
    )
