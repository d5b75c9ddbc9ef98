"""Memory rules: fire, hold, clear."""

from __future__ import annotations

import pytest

from tests.unit.models.alerts.bench import Bench, told


@pytest.mark.parametrize(
    ("rule", "signal", "severity", "page"),
    [
        ("row_remap_pending", "row_remap_pending", "warning", False),
        ("row_remap_failed", "row_remap_failed", "critical", True),
        ("sram_threshold", "sram_threshold_exceeded", "critical", False),
        ("bank_spares", "bank_remap_avail_none", "warning", False),
    ],
)
def test_flag_fires_stands_and_clears(rule: str, signal: str, severity: str, page: bool) -> None:
    gpu = Bench()
    gpu.run(60)
    (fired,) = gpu.tick({signal: 1.0})
    assert (fired.rule, fired.status, fired.severity, fired.page) == (rule, "firing", severity, page)
    assert gpu.run(3600) == []
    assert gpu.tick({signal: 0.0}) == []
    assert gpu.tick({signal: 1.0}) == [], "one read of 0 resolves nothing and fires nothing again"
    gpu.tick({signal: 0.0})
    (resolved,) = gpu.run(120)
    assert (resolved.rule, resolved.status, resolved.reason) == (rule, "resolved", "cleared")
    assert resolved.fingerprint == fired.fingerprint
    assert resolved.incident_id == fired.incident_id


def test_flag_not_measured_resolves_nothing() -> None:
    gpu = Bench()
    gpu.tick()
    gpu.tick({"row_remap_failed": 1.0})
    assert gpu.run(600, {"row_remap_failed": None}) == []


def test_flag_true_at_first_sight_is_a_ticket() -> None:
    gpu = Bench()
    (fired,) = gpu.tick({"row_remap_failed": 1.0})
    assert (fired.severity, fired.page, fired.history, fired.reason) == ("critical", False, True, "first_sight")


def test_retired_pages_of_both_kinds_count() -> None:
    gpu = Bench()
    gpu.tick({"page_retired_sbe_total": 40.0, "page_retired_dbe_total": 19.0})
    (fired,) = gpu.tick({"page_retired_dbe_total": 20.0})
    assert (fired.rule, fired.severity, fired.page, fired.value) == ("pages_retired", "error", False, 60.0)


def test_uncontained_error_pages() -> None:
    gpu = Bench()
    gpu.run(60)
    (fired,) = gpu.tick({"ecc_dbe_volatile_total": 1.0})
    assert (fired.rule, fired.severity, fired.page) == ("ecc_uncorrected", "critical", True)
    assert fired.action_text.startswith("DRAIN_AND_RESET")
    assert gpu.run(23 * 3600) == []


def test_contained_error_is_a_ticket_and_a_second_one_pages() -> None:
    gpu = Bench()
    gpu.run(60)
    (application,) = gpu.xid(94)
    assert (application.rule, application.severity, application.page) == ("xid_hardware", "warning", False)
    (fired,) = gpu.tick({"ecc_dbe_volatile_total": 1.0})
    assert (fired.severity, fired.page) == ("error", False)
    assert fired.incident_id == application.incident_id
    gpu.run(3600)
    gpu.xid(94)
    (raised,) = gpu.tick({"ecc_dbe_volatile_total": 2.0})
    assert (raised.severity, raised.page, raised.reason) == ("critical", True, "severity_raised")
    assert raised.fingerprint == fired.fingerprint


def test_uncorrected_error_clears_24_hours_after_it_and_a_reset() -> None:
    gpu = Bench(interval=60.0)
    gpu.run(600)
    gpu.tick({"ecc_dbe_volatile_total": 3.0})
    fired_at = gpu.now
    assert gpu.run(25 * 3600) == [], "24 hours alone are not enough"
    gpu.run(180, {"ecc_dbe_volatile_total": 0.0})
    (resolved,) = gpu.run(900)
    assert told([resolved]) == [("ecc_uncorrected", "resolved")]
    assert gpu.now > fired_at + 24 * 3600


def test_board_and_driver_counts_of_one_error_are_one_error() -> None:
    gpu = Bench()
    gpu.run(60, {"ecc_dbe_aggregate_total": 5.0})
    gpu.xid(94)
    (fired,) = gpu.tick({"ecc_dbe_volatile_total": 1.0})
    assert gpu.run(120) == []
    assert gpu.tick({"ecc_dbe_aggregate_total": 6.0}) == [], "the board's count comes later: no second error"
    assert not fired.page


def test_corrected_rate_fires_is_raised_and_clears() -> None:
    gpu = Bench(interval=60.0)
    gpu.run(600)
    assert gpu.tick({"ecc_sbe_volatile_total": 99.0}) == []
    (fired,) = gpu.tick({"ecc_sbe_volatile_total": 100.0})
    assert (fired.rule, fired.severity, fired.page) == ("ecc_corrected_rate", "warning", False)
    (raised,) = gpu.tick({"ecc_sbe_volatile_total": 20_000.0})
    assert (raised.severity, raised.reason) == ("error", "severity_raised")
    assert gpu.run(3600) == []
    (resolved,) = gpu.run(2 * 3600)
    assert told([resolved]) == [("ecc_corrected_rate", "resolved")]
    assert resolved.severity == "error", "severity never falls"


def test_reset_does_not_end_an_uncorrected_error_before_its_24_hours() -> None:
    gpu = Bench(interval=60.0)
    gpu.run(600)
    gpu.tick({"ecc_dbe_volatile_total": 3.0})
    gpu.run(180, {"ecc_dbe_volatile_total": 0.0})
    assert gpu.run(23 * 3600) == []
    assert told(gpu.run(3600)) == [("ecc_uncorrected", "resolved")]


def test_contained_and_uncontained_at_once_pages() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.xid(94)
    gpu.xid(95, at=gpu.now + 1.5)
    (fired,) = [event for event in gpu.tick({"ecc_dbe_volatile_total": 1.0}) if event.rule == "ecc_uncorrected"]
    assert (fired.severity, fired.page) == ("critical", True)


def test_board_count_alone_tells_an_error() -> None:
    gpu = Bench(values={"ecc_dbe_aggregate_total": 7.0})
    gpu.run(60)
    assert told(gpu.tick({"ecc_dbe_aggregate_total": 8.0})) == [("ecc_uncorrected", "firing")]
