"""Recovery action: field 1523 and XID 154."""

from __future__ import annotations

import pytest

from tests.unit.models.alerts.bench import Bench, told

CHANGED = "GPU recovery action changed from 0x0 (None) to 0x{}"


@pytest.mark.parametrize(("action", "page"), [(1.0, True), (2.0, True), (3.0, True), (4.0, True), (5.0, False)])
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


def test_what_the_driver_asks_for_is_what_its_open_fault_says() -> None:
    gpu = Bench(values={"gpu_temp_celsius": 50.0})
    gpu.run(60)
    (fault,) = gpu.xid(62, "62, 324c1547")
    assert fault.action_code == "reset_gpu"
    gpu.xid(154, CHANGED.format("1 (PF FLR)"), at=gpu.now + 1)
    changed = gpu.xid(154, CHANGED.format("7 (System Reboot)"), at=gpu.now + 2)
    assert [(event.rule, event.reason, event.action_code) for event in changed] == [
        ("xid_hardware", "action_changed", "restart_node"),
        ("recovery_action", "action_changed", "restart_node"),
    ]


def test_on_a_host_only_the_fault_of_the_same_address_takes_the_action() -> None:
    host = Bench("host:node1", values={"exporter_up": 1.0})
    host.run(60)
    for device in ("17", "2a"):
        line = f"NVRM: Xid (PCI:0000:{device}:00): 62, 324c1547"
        host.xid(62, line, pci=f"0000:{device}:00")
    said = host.xid(154, CHANGED.format("2 (Node Reboot)"), pci="0000:17:00")
    changed = [event.pci_bus_id for event in said if event.reason == "action_changed"]
    assert [str(address)[:10] for address in changed] == ["0000:17:00"]
