"""Hard evidence: noted once, stands while it must, ends when it may."""

from __future__ import annotations

import pytest

from models.alerts.alert_state import FIRING, AlertState
from models.alerts.operator_actions import Action
from models.health import evidence
from models.health.overall import score
from tests.unit.models.health.gpu import HEALTHY, PROFILE, START, Gpu

DAY = 86_400.0


def loaded(interval: float = 300.0) -> Gpu:
    gpu = Gpu(interval=interval)
    gpu.run(3600.0)
    return gpu


def test_an_increment_is_noted_once_however_often_it_is_looked_at() -> None:
    gpu = loaded(10.0)
    gpu.set(ecc_dbe_volatile_total=2.0)
    gpu.tick()
    evidence.observe(gpu.state, PROFILE)  # as after events that came alone
    assert gpu.state.evidence["dbe"].count == 1
    gpu.tick()
    assert gpu.state.evidence["dbe"].count == 1
    gpu.set(ecc_dbe_volatile_total=3.0)
    gpu.tick()
    assert gpu.state.evidence["dbe"].count == 2


def test_the_first_sight_of_an_uncorrected_count_is_no_evidence() -> None:
    gpu = Gpu({**HEALTHY, "ecc_dbe_volatile_total": 7.0, "ecc_dbe_aggregate_total": 9.0})
    gpu.run(600.0)
    assert gpu.state.evidence == {}


def test_the_aggregate_count_speaks_where_there_is_no_volatile_one() -> None:
    gpu = Gpu({**HEALTHY, "ecc_dbe_aggregate_total": 9.0})
    gpu.set(ecc_dbe_volatile_total=None)
    gpu.run(600.0)
    gpu.set(ecc_dbe_aggregate_total=10.0)
    gpu.tick()
    assert list(gpu.state.evidence) == ["dbe"]


def test_one_bad_read_of_zero_is_no_evidence() -> None:
    gpu = Gpu({**HEALTHY, "ecc_dbe_volatile_total": 2.0})
    gpu.run(100.0)
    gpu.set(ecc_dbe_volatile_total=0.0)
    gpu.tick()
    gpu.set(ecc_dbe_volatile_total=2.0)
    assert gpu.run(100.0).overall == 100.0


def test_a_flag_caps_exactly_while_it_stands() -> None:
    gpu = loaded(10.0)
    assert gpu.set(row_remap_pending=1.0).tick().memory == 75.0
    assert gpu.set(row_remap_pending=None).run(100_000.0).memory == 75.0  # absent is not cleared
    assert gpu.set(row_remap_pending=0.0).tick().memory == 100.0


def test_an_event_ends_after_a_reset_and_24_clean_hours_under_load() -> None:
    gpu = loaded()
    gpu.state.note("xid:79", gpu.time, history=False)
    assert gpu.run(3 * DAY).overall == 39.0  # no reset: it stands
    gpu.reset()
    assert gpu.run(DAY - 900.0).overall == 39.0
    assert gpu.run(1200.0).overall == 100.0
    assert gpu.state.evidence == {}


def test_idle_hours_are_not_clean_hours() -> None:
    gpu = loaded()
    gpu.state.note("xid:79", gpu.time, history=False)
    gpu.reset()
    gpu.set(sm_active_ratio=0.02)
    assert gpu.run(3 * DAY).overall == 39.0
    gpu.set(sm_active_ratio=0.9)
    assert gpu.run(DAY + 600.0).overall == 100.0


@pytest.mark.parametrize("flag", ["row_remap_pending", "gpu_recovery_action"])
def test_nothing_may_be_pending(flag: str) -> None:
    gpu = loaded()
    gpu.state.note("xid:119", gpu.time, history=False)
    gpu.reset()
    gpu.set(**{flag: 1.0})
    gpu.run(2 * DAY)
    assert "xid:119" in gpu.state.evidence
    gpu.set(**{flag: 0.0})
    assert gpu.tick().overall == 100.0


def test_another_time_starts_afresh() -> None:
    gpu = loaded()
    gpu.state.note("xid:119", gpu.time, history=False)
    gpu.reset()
    gpu.run(0.9 * DAY)
    gpu.state.note("xid:119", gpu.time, history=False)
    assert gpu.run(0.9 * DAY).overall == 69.0
    assert gpu.run(0.3 * DAY).overall == 69.0  # the reset before it does not count
    gpu.reset()
    assert gpu.run(DAY + 600.0).overall == 100.0


@pytest.mark.parametrize(("kind", "ends"), [("dbe", True), ("xid:94", True), ("xid:79", False), ("xid:13", True)])
def test_what_ends_with_the_window(kind: str, ends: bool) -> None:
    gpu = loaded()
    gpu.state.note(kind, gpu.time, history=False)
    gpu.run(7 * DAY - 600.0)
    assert kind in gpu.state.evidence
    gpu.run(1200.0)
    assert (kind not in gpu.state.evidence) is ends


def test_a_storm_of_corrected_errors_is_noted_once_an_hour_and_caps_at_59() -> None:
    gpu = Gpu(interval=60.0)
    gpu.tick()
    for minute in range(1, 120):
        gpu.set(ecc_sbe_volatile_total=1000.0 * minute)
        scores = gpu.tick()
    assert scores.overall == 59.0
    assert gpu.state.evidence["corrected_storm"].count == 2


def test_9999_corrected_errors_in_an_hour_are_no_storm() -> None:
    gpu = Gpu(interval=60.0)
    gpu.tick()
    gpu.set(ecc_sbe_volatile_total=9999.0)
    assert gpu.run(600.0).overall == pytest.approx(0.35 * 100 + 0.45 * 50 + 0.2 * 100)


@pytest.mark.parametrize(
    ("signal", "step"), [("ecc_sbe_volatile_total", 20_000_000.0), ("ecc_sbe_sram_volatile_total", 10_000.0)]
)
def test_too_many_corrected_errors_in_7_days_cap_at_59(signal: str, step: float) -> None:
    profile_without_storms = {**HEALTHY, signal: 0.0}
    gpu = Gpu(profile_without_storms, interval=300.0)
    gpu.run(600.0)
    kind = "corrected_7d" if signal == "ecc_sbe_volatile_total" else "sram_corrected_7d"
    gpu.set(**{signal: step})
    gpu.tick()
    assert kind not in [item.kind for item in evidence.standing(gpu.state, PROFILE)]
    gpu.set(**{signal: step + 100.0})
    scores = gpu.tick()
    assert kind in [item.kind for item in evidence.standing(gpu.state, PROFILE)]
    assert scores.overall <= 59.0


def test_a_failed_link_recovery_is_noted_by_its_increment() -> None:
    gpu = Gpu({**HEALTHY, "nvlink_recovery_failed_total": 4.0})
    assert gpu.run(60.0).overall == 100.0
    gpu.set(nvlink_recovery_failed_total=5.0)
    assert gpu.tick().overall == 39.0


def test_a_thermal_slowdown_caps_only_while_it_fires() -> None:
    gpu = loaded(10.0)
    alert = AlertState(
        "thermal_slowdown",
        "thermal_slowdown",
        "thermal",
        gpu.time,
        severity="error",
        page=False,
        summary="",
        action=Action("check_cooling", ""),
    )
    gpu.state.alerts[alert.key] = alert
    assert gpu.tick().overall == 100.0
    alert.phase = FIRING
    assert gpu.tick().overall == 69.0
    del gpu.state.alerts["thermal_slowdown"]
    assert gpu.tick().overall == 100.0


@pytest.mark.parametrize(
    ("signal", "overall"),
    [("row_remap_failed", 39.0), ("sram_threshold_exceeded", 39.0), ("memory_unrepairable", 39.0)],
)
def test_standing_evidence_counts_at_first_sight(signal: str, overall: float) -> None:
    gpu = Gpu({**HEALTHY, signal: 1.0})
    assert gpu.tick().overall == overall


def test_a_null_score_does_not_hide_the_cap() -> None:
    gpu = Gpu({"gpu_temp_celsius": 60.0, "row_remap_failed": 1.0})
    scores = gpu.tick()
    assert scores.memory != scores.memory
    assert scores.overall == 39.0
    gpu = Gpu({"gpu_temp_celsius": 60.0})
    gpu.tick()
    gpu.state.note("xid:79", START, history=False)
    assert score(gpu.state, PROFILE).overall == 39.0


def test_quiet_evidence_does_not_dirty_the_record() -> None:
    gpu = loaded(10.0)
    gpu.state.note("xid:79", gpu.time, history=False)
    gpu.tick()
    gpu.state.evidence_dirty = False
    gpu.run(600.0)
    assert not gpu.state.evidence_dirty


def test_an_event_from_before_the_first_sample_is_history_not_health() -> None:
    gpu = loaded()
    gpu.state.note("xid:79", gpu.state.first_time - 601.0, history=True)
    assert gpu.tick().overall == 100.0
    gpu.state.note("xid:119", gpu.state.first_time - 599.0, history=True)
    assert gpu.tick().overall == 69.0


def test_an_event_before_any_sample_caps() -> None:
    gpu = Gpu(interval=10.0)
    gpu.state.note("xid:79", START - 5.0, history=False)
    assert gpu.tick().overall == 39.0


def test_a_reset_in_an_older_sample_is_not_after_the_event() -> None:
    gpu = loaded(10.0)
    gpu.state.note("xid:119", gpu.time + 25.0, history=False)
    gpu.reset()
    assert not gpu.state.evidence["xid:119"].reset_seen


def test_an_event_whose_clock_runs_far_ahead_still_ends() -> None:
    gpu = loaded()
    gpu.state.note("xid:119", gpu.time + 400 * DAY, history=False)
    gpu.reset()
    assert gpu.run(DAY + 600.0).overall == 100.0
