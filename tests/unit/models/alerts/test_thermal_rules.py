"""Thermal limit, thermal slowdown and power brake: fire, hold, clear."""

from __future__ import annotations

import pytest

from models.gpu.slots import BENIGN_MASK
from tests.unit.models.alerts.bench import START, Bench, told


def test_limit_needs_five_minutes_and_ten_cool_ones() -> None:
    gpu = Bench()
    gpu.run(60)
    assert gpu.run(300, {"gpu_temp_celsius": 86.0}) == []
    began = gpu.now - 290.0
    (fired,) = gpu.tick()
    assert (fired.rule, fired.severity, fired.page, fired.value) == ("thermal_limit", "warning", False, 86.0)
    assert fired.starts_at.endswith("00:00Z") or began + 300.0 == pytest.approx(gpu.now)
    assert gpu.run(600, {"gpu_temp_celsius": 83.0}) == [], "between 82 and 85 nothing clears"
    assert gpu.run(600, {"gpu_temp_celsius": 80.0}) == []
    assert told(gpu.tick()) == [("thermal_limit", "resolved")]


def test_limit_forgets_a_short_heat() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.run(290, {"gpu_temp_celsius": 90.0})
    gpu.run(10, {"gpu_temp_celsius": 84.0})
    assert gpu.run(290, {"gpu_temp_celsius": 90.0}) == []
    assert gpu.state.alerts["thermal_limit"].phase == 1


def test_limit_of_the_device_and_of_its_memory() -> None:
    gpu = Bench()
    gpu.run(60, {"gpu_temp_slowdown_celsius": 95.0, "gpu_temp_celsius": 90.0})
    assert gpu.run(600) == []
    gpu.run(310, {"memory_temp_celsius": 96.0})
    assert told(gpu.said) == [("thermal_limit", "firing")]
    assert "Memory" in gpu.said[0].summary


def test_stuck_margin_of_zero_is_not_hot() -> None:
    gpu = Bench()
    assert gpu.run(900, {"gpu_temp_margin_celsius": 0.0}) == []
    gpu.run(60, {"row_remap_pending": 1.0})
    gpu.run(900)
    assert "thermal_limit" not in gpu.state.alerts, "not while another rule is active either"
    gpu.run(310, {"gpu_temp_margin_celsius": 1.0})
    assert gpu.state.alerts["thermal_limit"].open


def test_gap_holds_nothing() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.run(100, {"gpu_temp_celsius": 90.0})
    gpu.now += 600.0
    gpu.tick()
    assert [event.rule for event in gpu.said] == ["gpu_missing", "gpu_missing"]
    assert gpu.run(290) == []
    assert told(gpu.run(20)) == [("thermal_limit", "firing")]


def test_gap_is_not_cool() -> None:
    gpu = Bench()
    gpu.run(400, {"gpu_temp_celsius": 90.0})
    gpu.run(310, {"gpu_temp_celsius": 60.0})
    gpu.said.clear()
    gpu.now += 3600.0
    gpu.run(280)
    assert {event.rule for event in gpu.said} == {"gpu_missing"}
    assert told(gpu.run(30)) == [("thermal_limit", "resolved")]


def test_hardware_slowdown_pages_after_six_minutes() -> None:
    gpu = Bench(now=START - 10.0)
    gpu.run(600)
    assert gpu.run(300, {"clocks_event_reasons": float(0x40)}) == []
    (fired,) = gpu.tick()
    assert (fired.rule, fired.severity, fired.page) == ("thermal_slowdown", "critical", True)
    assert gpu.state.alerts["thermal_slowdown"].open
    assert gpu.run(600, {"clocks_event_reasons": 0.0}) == []
    assert told(gpu.tick()) == [("thermal_slowdown", "resolved")]


def test_software_slowdown_is_a_ticket_and_hardware_raises_it() -> None:
    gpu = Bench()
    gpu.run(600)
    gpu.run(310, {"clocks_event_reasons": float(0x20)})
    (fired,) = gpu.said
    assert (fired.severity, fired.page) == ("error", False)
    gpu.run(310, {"clocks_event_reasons": float(0x60)})
    raised = gpu.said[-1]
    assert (raised.severity, raised.page, raised.reason) == ("critical", True, "severity_raised")
    assert (raised.fingerprint, raised.incident_id) == (fired.fingerprint, fired.incident_id)


def test_near_shutdown_pages() -> None:
    gpu = Bench()
    gpu.run(60, {"gpu_temp_shutdown_celsius": 92.0, "gpu_temp_celsius": 84.0})
    gpu.run(310, {"clocks_event_reasons": float(0x20), "gpu_temp_celsius": 89.5})
    slowdown = [event for event in gpu.said if event.rule == "thermal_slowdown"]
    assert [(event.severity, event.page) for event in slowdown] == [("critical", True)]


def test_five_minutes_of_ten_are_not_enough() -> None:
    gpu = Bench()
    gpu.run(600)
    for _ in range(6):
        gpu.run(60, {"clocks_event_reasons": float(0x40)})
        assert gpu.run(120, {"clocks_event_reasons": 0.0}) == []
    gpu.run(900)
    assert gpu.state.alerts == {}


def test_slowdown_time_counts_where_it_is_measured() -> None:
    gpu = Bench()
    gpu.run(60, {"hw_thermal_slowdown_seconds_total": 0.0})
    total = 0.0
    for _ in range(40):
        total += 5.0
        gpu.tick({"hw_thermal_slowdown_seconds_total": total})
    assert told(gpu.said) == [("thermal_slowdown", "firing")]


@pytest.mark.parametrize("bits", [0x1, 0x2, 0x4, 0x10, 0x100, BENIGN_MASK])
def test_benign_reasons_say_nothing(bits: int) -> None:
    gpu = Bench()
    assert gpu.run(3600, {"clocks_event_reasons": float(bits)}) == []


def test_power_brake_fires_and_clears() -> None:
    gpu = Bench()
    gpu.run(600)
    gpu.run(310, {"clocks_event_reasons": float(0x80)})
    (fired,) = gpu.said
    assert (fired.rule, fired.severity, fired.page) == ("power_brake", "error", False)
    assert gpu.run(600, {"clocks_event_reasons": 0.0}) == []
    assert told(gpu.tick()) == [("power_brake", "resolved")]
