"""Score and risk rules, and what the fast exit may not miss."""

from __future__ import annotations

from math import nan

import pytest

from tests.unit.models.alerts.bench import Bench, FixedScores, told


@pytest.mark.parametrize(("rule", "score", "clear"), [("score_degraded", 69.9, 75.0), ("score_poor", 49.9, 55.0)])
def test_score_fires_holds_and_clears(rule: str, score: float, clear: float) -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.scores.overall = score
    gpu.run(900)
    assert gpu.said == []
    gpu.tick()
    fired = next(event for event in gpu.said if event.rule == rule)
    assert (fired.status, fired.page, fired.cause_class) == ("firing", False, "trend")
    gpu.said.clear()
    gpu.scores.overall = clear - 0.1
    gpu.run(1800)
    assert not [event for event in gpu.said if event.rule == rule], "below limit + 5 nothing clears"
    gpu.scores.overall = clear
    gpu.run(900)
    assert not [event for event in gpu.said if event.rule == rule]
    gpu.tick()
    assert [event.status for event in gpu.said if event.rule == rule] == ["resolved"]


def test_score_that_is_null_begins_and_clears_nothing() -> None:
    gpu = Bench()
    gpu.scores.overall = nan
    assert gpu.run(3600) == []
    gpu.scores.overall = 60.0
    gpu.run(910)
    gpu.scores.overall = nan
    assert gpu.run(3600) == []


def test_degraded_and_poor_are_one_incident_that_ends_with_the_last() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.scores.overall = 40.0
    gpu.run(910)
    first, second = gpu.said
    assert first.incident_id == second.incident_id
    assert first.fingerprint != second.fingerprint
    gpu.said.clear()
    gpu.scores.overall = 60.0
    gpu.run(910)
    (poor,) = gpu.said
    assert poor.evidence[-1] == {"kind": "incident", "open_rules": ["score_degraded"]}
    gpu.scores.overall = 90.0
    gpu.run(910)
    assert gpu.said[-1].evidence[-1] == {"kind": "incident", "open_rules": []}


@pytest.mark.parametrize("by_evidence", [True, False])
def test_risk_high_fires_holds_and_clears(by_evidence: bool) -> None:
    gpu = Bench()
    gpu.run(60)
    if by_evidence:
        gpu.risk.evidence_floor = True
    else:
        gpu.risk.probability_30d = 0.1
    assert gpu.run(900) == []
    (fired,) = gpu.tick()
    assert (fired.rule, fired.severity, fired.page) == ("risk_high", "warning", False)
    gpu.risk.evidence_floor = False
    gpu.risk.probability_30d = 0.09
    assert gpu.run(1800) == [], "between 8 and 10 times the fleet's nothing clears"
    gpu.risk.probability_30d = 0.01
    assert gpu.run(900) == []
    assert told(gpu.tick()) == [("risk_high", "resolved")]


def test_healthy_gpu_says_nothing_and_keeps_no_state() -> None:
    gpu = Bench()
    assert gpu.run(7300) == []
    assert gpu.state.alerts == {}
    gpu.state.evidence_dirty = False
    gpu.run(600)
    assert not gpu.state.evidence_dirty


def test_unmeasured_gpu_says_nothing() -> None:
    gpu = Bench(values={"power_usage_watts": 100.0})
    assert gpu.run(3600) == []


def test_history_never_pages() -> None:
    gpu = Bench(labels={"history": "true"})
    gpu.run(60)
    fired = gpu.tick({"row_remap_failed": 1.0, "ecc_dbe_volatile_total": 1.0})
    fired += gpu.xid(79)
    assert {event.rule for event in fired} == {"row_remap_failed", "ecc_uncorrected", "gpu_lost"}
    assert all(event.history and not event.page for event in fired)


def test_late_sample_moves_nothing() -> None:
    gpu = Bench()
    gpu.run(60)
    late = dict(gpu.values, row_remap_failed=1.0)
    assert gpu.send(gpu.now - 5.0, late) == []
    assert gpu.send(gpu.now, late) == []


def test_record_names_the_gpu_and_its_place() -> None:
    labels = {
        "serial": "1650",
        "pci_bus_id": "0000:9b:00",
        "slot": "3",
        "rack_id": "r7",
        "model": "NVIDIA H100",
        "namespace": "train",
        "pod": "llm-0",
    }
    gpu = Bench(labels=labels)
    gpu.run(60)
    (fired,) = gpu.tick({"row_remap_failed": 1.0})
    assert (fired.serial, fired.slot, fired.rack_id, fired.model) == ("1650", "3", "r7", "NVIDIA H100")
    assert (fired.gpu_id, fired.host_id, fired.members, fired.scope) == ("GPU-1", "node1", ["GPU-1"], "gpu")
    assert fired.workload == "train/llm-0"
    assert fired.pci_bus_id == "0000:9b:00"
    assert fired.runbook == "docs/runbooks.md#row_remap_failed"


def test_what_was_true_before_pages_once_it_grows_worse() -> None:
    gpu = Bench(labels={"history": "true"})
    gpu.run(600, {"clocks_event_reasons": float(0x20)})
    (fired,) = [event for event in gpu.said if event.rule == "thermal_slowdown"]
    assert (fired.severity, fired.history) == ("error", True)
    gpu.labels = {}
    gpu.said.clear()
    gpu.run(400, {"clocks_event_reasons": float(0x60)})
    (raised,) = [event for event in gpu.said if event.rule == "thermal_slowdown"]
    assert (raised.severity, raised.page, raised.history) == ("critical", True, False)


def test_a_trend_says_the_first_action_of_the_fault_that_is_open() -> None:
    gpu = Bench(scores=FixedScores(overall=40.0))
    gpu.run(60)
    gpu.xid(79, "79, GPU has fallen off the bus")
    trends = {event.rule: event.action_code for event in gpu.run(3_600) if event.cause_class == "trend"}
    assert trends == {"score_degraded": "restart_node", "score_poor": "restart_node"}
    alone = Bench(scores=FixedScores(overall=40.0))
    assert {event.rule: event.action_code for event in alone.run(3_600)} == {
        "score_degraded": "watch",
        "score_poor": "drain",
    }
