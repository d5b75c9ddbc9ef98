"""Silence: by the clock or at the next sample, the same is said."""

from __future__ import annotations

from math import inf

import pytest

from schemas.alert import AlertEvent
from tests.unit.models.alerts.bench import Bench, told


def _gap(gpu: Bench, seconds: float, *, by_clock: bool) -> list[AlertEvent]:
    gpu.run(300)
    last = gpu.now
    if by_clock:
        assert gpu.clock(last + 55.0) == []
        assert gpu.clock(gpu.next_deadline()) != []
        assert gpu.clock(last + seconds) == []
    gpu.now = last + seconds - gpu.interval
    gpu.tick()
    gpu.run(60)
    return gpu.said


@pytest.mark.parametrize("seconds", [56.0, 90.0, 86_400.0])
def test_clock_and_next_sample_say_the_same(seconds: float) -> None:
    by_clock = _gap(Bench(), seconds, by_clock=True)
    by_sample = _gap(Bench(), seconds, by_clock=False)
    assert by_clock == by_sample
    assert told(by_clock) == [("gpu_missing", "firing"), ("gpu_missing", "resolved")]
    fired, resolved = by_clock
    assert (fired.severity, fired.page, fired.cause_class) == ("critical", True, "lost")
    assert resolved.reason == "data_again"
    assert fired.incident_id == resolved.incident_id


def test_no_alert_up_to_the_limit() -> None:
    assert _gap(Bench(), 55.0, by_clock=False) == []


def test_limit_follows_the_interval() -> None:
    gpu = Bench(interval=300.0)
    gpu.run(3000)
    assert gpu.next_deadline() == pytest.approx(gpu.now + 1650.0, abs=0.01)
    assert gpu.clock(gpu.now + 1650.0) == []
    assert told(gpu.clock(gpu.now + 1651.0)) == [("gpu_missing", "firing")]
    assert gpu.next_deadline() == inf


def test_starts_at_is_the_deadline_and_ends_at_the_sample() -> None:
    fired, resolved = _gap(Bench(), 90.0, by_clock=True)
    assert fired.starts_at == fired.updated_at == "2026-02-09T12:05:45.000Z"
    assert resolved.ends_at == "2026-02-09T12:06:20.000Z"


def test_late_data_resolves_with_its_reason() -> None:
    gpu = Bench()
    gpu.run(300)
    last = gpu.now
    (fired,) = gpu.clock(last + 60.0)
    (resolved,) = gpu.send(last + 10.0, dict(gpu.values), append_time=last + 61.0)
    assert resolved.reason == "late_data"
    assert resolved.ends_at == fired.starts_at


def test_append_gap_without_an_own_gap_is_the_same_by_clock_or_sample() -> None:
    said = []
    for by_clock in (True, False):
        gpu = Bench()
        gpu.run(300)
        last = gpu.now
        if by_clock:
            gpu.clock(last + 60.0)
        gpu.send(last + 10.0, dict(gpu.values), append_time=last + 61.0)
        said.append(gpu.said)
    assert said[0] == said[1]


def test_each_silence_is_its_own_incident() -> None:
    gpu = Bench()
    first, _ = _gap(gpu, 90.0, by_clock=False)
    gpu.said = []
    second, _ = _gap(gpu, 90.0, by_clock=False)
    assert first.incident_id != second.incident_id
    assert first.dedup_key == second.dedup_key


def test_silence_counts_afresh_after_an_assignment() -> None:
    gpu = Bench()
    gpu.run(300)
    last = gpu.now
    assert gpu.clock(last + 134.0, silence_from=last + 80.0) == []
    assert told(gpu.clock(last + 136.0, silence_from=last + 80.0)) == [("gpu_missing", "firing")]


def test_nothing_is_missing_after_history_or_before_metrics() -> None:
    gpu = Bench(labels={"history": "true"})
    gpu.run(300)
    assert gpu.next_deadline() == inf
    assert gpu.clock(gpu.now + 3600.0) == []
    unseen = Bench()
    unseen.xid(13)
    assert unseen.next_deadline() == inf
    assert unseen.clock(gpu.now + 3600.0) == []


def test_reset_seen_after_the_gap_is_a_restart() -> None:
    gpu = Bench()
    gpu.run(300, {"energy_joules_total": 9e6, "ecc_sbe_volatile_total": 3.0})
    gpu.now += 90.0
    gpu.tick({"energy_joules_total": 10.0, "ecc_sbe_volatile_total": 0.0})
    assert [event.reason for event in gpu.said] == ["first_firing", "restarted"]


def test_gap_of_a_lost_gpu_is_hidden_and_joins_its_incident() -> None:
    gpu = Bench()
    gpu.run(300)
    (lost,) = gpu.xid(79)
    (missing,) = gpu.clock(gpu.now + 60.0)
    assert (missing.page, missing.suppressed_by, missing.reason) == (False, "gpu_lost", "inhibited")
    assert missing.incident_id == lost.incident_id


def test_due_alerts_within_the_observed_time_come_before_the_silence() -> None:
    said = []
    for by_clock in (True, False):
        gpu = Bench()
        gpu.run(300)
        gpu.run(280, {"gpu_temp_celsius": 90.0})  # firing would be due 30 s after the last sample
        last = gpu.now
        if by_clock:
            gpu.clock(gpu.next_deadline())
        gpu.now = last + 300.0
        gpu.tick()
        said.append(gpu.said)
    assert said[0] == said[1]
    assert told(said[0]) == [
        ("thermal_limit", "firing"),
        ("gpu_missing", "firing"),
        ("gpu_missing", "resolved"),
    ]
