"""Recovery action: field 1523 and XID 154."""

from __future__ import annotations

import pytest

from tests.unit.models.alerts.bench import Bench, told

CHANGED = "GPU recovery action changed from 0x0 (None) to 0x{}"


@pytest.mark.parametrize(("action", "page"), [(1.0, False), (2.0, True), (3.0, True), (4.0, True), (5.0, False)])
def test_field_fires_stands_and_clears(action: float, page: bool) -> None:
    gpu = Bench(interval=60.0)
    gpu.run(600)
    (fired,) = gpu.tick({"gpu_recovery_action": action})
    assert (fired.rule, fired.severity, fired.page) == ("recovery_action", "error", page)
    assert gpu.run(8 * 86_400) == []
    assert gpu.tick({"gpu_recovery_action": None}) == []
    assert told(gpu.tick({"gpu_recovery_action": 0.0})) == [("recovery_action", "resolved")]


def test_154_opens_changes_and_clears() -> None:
    gpu = Bench(values={"gpu_temp_celsius": 50.0})
    gpu.run(60)
    (fired,) = gpu.xid(154, CHANGED.format("4 (Drain and Reset)"))
    assert fired.page
    (changed,) = gpu.xid(154, CHANGED.format("1 (GPU Reset Required)"), at=gpu.now + 2)
    assert (changed.reason, changed.page, changed.value) == ("action_changed", True, 1.0)
    assert changed.summary == "The driver asks to reset the GPU"
    assert told(gpu.xid(154, CHANGED.format("0 (None)"), at=gpu.now + 3)) == [("recovery_action", "resolved")]


def test_154_without_its_line_is_evidence() -> None:
    gpu = Bench()
    gpu.run(60)
    assert gpu.tick({"xid_last": 154.0}) == []


def test_asked_for_at_first_sight_is_a_ticket() -> None:
    gpu = Bench()
    (fired,) = gpu.tick({"gpu_recovery_action": 2.0})
    assert (fired.page, fired.history) == (False, True)
