"""State that lasts: packing, and the same story after a restart at any moment."""

from __future__ import annotations

import msgspec
import pytest

from models.alerts.alert_state import AlertState
from schemas.alert import AlertEvent
from tests.unit.models.alerts.bench import Bench


def _restart(gpu: Bench) -> None:
    packed = [alert.to_plain() for alert in gpu.state.alerts.values()]
    again = msgspec.json.decode(msgspec.json.encode(packed))
    gpu.state.alerts = {alert.key: alert for alert in map(AlertState.from_plain, again)}


def _story(restart_every: int) -> list[AlertEvent]:
    gpu = Bench()
    step = 0

    def run(seconds: float, changes: dict[str, float | None] | None = None) -> None:
        nonlocal step
        for _ in range(int(seconds / 10)):
            gpu.tick(changes)
            step += 1
            if restart_every and step % restart_every == 0:
                _restart(gpu)

    run(120)
    run(400, {"gpu_temp_celsius": 90.0, "clocks_event_reasons": float(0x40)})
    gpu.xid(48)
    if restart_every:
        _restart(gpu)
    gpu.xid(63)
    run(60, {"ecc_dbe_volatile_total": 1.0, "row_remap_pending": 1.0})
    gpu.now += 120.0
    run(1800, {"gpu_temp_celsius": 60.0, "clocks_event_reasons": 0.0, "row_remap_pending": 0.0})
    return gpu.said


@pytest.mark.parametrize("restart_every", [1, 7])
def test_restart_at_any_moment_changes_nothing(restart_every: int) -> None:
    story = _story(0)
    assert {event.rule for event in story} == {
        "thermal_slowdown",
        "thermal_limit",
        "xid_hardware",
        "row_remap_pending",
        "ecc_uncorrected",
        "gpu_missing",
    }
    assert _story(restart_every) == story


def test_ids_are_unique_and_repeat() -> None:
    story = _story(0)
    assert len({event.event_id for event in story}) == len(story)
    assert [event.event_id for event in _story(0)] == [event.event_id for event in story]


def test_every_change_marks_the_state_dirty() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.state.evidence_dirty = False
    before = [alert.to_plain() for alert in gpu.state.alerts.values()]
    for changes in (
        {"gpu_temp_celsius": 90.0},
        {"clocks_event_reasons": float(0x40)},
        {"row_remap_pending": 1.0},
        {"row_remap_pending": 0.0},
        {"gpu_temp_celsius": 50.0, "clocks_event_reasons": 0.0},
    ):
        for _ in range(40):
            gpu.tick(dict(changes))
            now = [alert.to_plain() for alert in gpu.state.alerts.values()]
            assert gpu.state.evidence_dirty or now == before
            before = now
            gpu.state.evidence_dirty = False
