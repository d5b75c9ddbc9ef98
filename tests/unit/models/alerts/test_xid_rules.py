"""From XIDs to alerts: class, workflow, company, repeats."""

from __future__ import annotations

import pytest

from tests.unit.models.alerts.bench import CATALOGUE, Bench, told, xid_event


def _bench(interval: float = 10.0) -> Bench:
    gpu = Bench(interval=interval)
    gpu.run(300 if interval == 10.0 else 3600)
    return gpu


def test_79_is_lost_at_once_and_clears_after_24_clean_hours() -> None:
    gpu = _bench(60.0)
    (fired,) = gpu.xid(79)
    assert (fired.rule, fired.severity, fired.page, fired.cause_class) == ("gpu_lost", "critical", True, "lost")
    assert fired.action_text.startswith("RESTART_BM")
    assert gpu.run(24 * 3600 - 60) == []
    assert told(gpu.run(120)) == [("gpu_lost", "resolved")]


def test_79_clears_after_a_reset_and_a_clean_time() -> None:
    gpu = _bench()
    gpu.run(60, {"energy_joules_total": 9e6})
    gpu.xid(79)
    gpu.run(30, {"energy_joules_total": 5.0})
    assert gpu.run(500) == []
    assert told(gpu.run(120)) == [("gpu_lost", "resolved")]


def test_gpu_present_zero_is_lost_while_it_stands() -> None:
    gpu = _bench(60.0)
    (fired,) = gpu.tick({"gpu_present": 0.0})
    assert (fired.rule, fired.page) == ("gpu_lost", True)
    assert gpu.run(26 * 3600) == []
    assert gpu.run(24 * 3600 - 120, {"gpu_present": 1.0}) == []
    assert told(gpu.run(240)) == [("gpu_lost", "resolved")]


def test_gpu_present_zero_at_first_sight_is_a_ticket() -> None:
    gpu = Bench()
    (fired,) = gpu.tick({"gpu_present": 0.0})
    assert (fired.rule, fired.page, fired.history) == ("gpu_lost", False, True)


def test_48_waits_for_its_company_then_says_the_stronger_action() -> None:
    gpu = _bench()
    assert gpu.xid(48) == []
    assert gpu.xid(63) == []
    (fired,) = gpu.tick()
    assert fired.action_text.startswith("DRAIN_AND_RESET")
    assert [item["code"] for item in fired.evidence] == [48, 63]
    assert fired.starts_at < fired.updated_at


def test_48_alone_resets_the_gpu() -> None:
    gpu = _bench()
    gpu.xid(48)
    (fired,) = gpu.tick()
    assert (fired.severity, fired.page) == ("critical", True)
    assert fired.action_text.startswith("WORKFLOW_XID_48")


def test_48_by_clock_or_by_sample_is_the_same() -> None:
    said = []
    for by_clock in (True, False):
        gpu = _bench()
        gpu.xid(48)
        if by_clock:
            deadline = gpu.next_deadline()
            assert gpu.clock(deadline - 0.1) == []
            assert told(gpu.clock(deadline)) == [("xid_hardware", "firing")]
        gpu.tick()
        gpu.tick()
        said.append(gpu.said)
    assert said[0] == said[1]


def test_48_hides_the_page_of_95_and_keeps_its_evidence() -> None:
    gpu = _bench()
    gpu.xid(48)
    gpu.tick()
    gpu.said.clear()
    gpu.xid(95)
    assert gpu.said == []
    alert = gpu.state.alerts["xid_hardware:memory"]
    assert alert.codes == [48, 95]
    assert "xid:95" in gpu.state.evidence


def test_94_then_48_is_raised_in_one_incident() -> None:
    gpu = _bench()
    (ticket,) = gpu.xid(94)
    (raised,) = gpu.xid(48, at=gpu.now + 2.0)
    assert (raised.severity, raised.page, raised.reason) == ("critical", True, "severity_raised")
    assert raised.incident_id == ticket.incident_id
    assert raised.action_text.startswith("WORKFLOW_XID_48")


def test_95_pages_once_for_a_storm() -> None:
    gpu = _bench()
    for second in range(600):
        gpu.send(gpu.now + second / 60, None, [xid_event(95, gpu.now + second / 60)])
    assert [(event.rule, event.page) for event in gpu.said] == [("xid_hardware", True)]


def test_64_is_never_hidden() -> None:
    gpu = _bench()
    gpu.xid(79)
    (fired,) = gpu.xid(64, at=gpu.now + 2.0)
    assert (fired.page, fired.suppressed_by) == (True, None)
    assert fired.action_text.startswith("REPLACE")


def test_63_alone_waits_for_a_reset_until_the_flag_is_gone() -> None:
    gpu = _bench()
    (fired,) = gpu.xid(63)
    assert (fired.rule, fired.severity, fired.page) == ("row_remap_pending", "warning", False)
    assert gpu.run(600, {"row_remap_pending": 1.0}) == []
    assert told(gpu.run(120, {"row_remap_pending": 0.0})) == [("row_remap_pending", "resolved")]


def test_79_hides_94() -> None:
    gpu = _bench()
    gpu.xid(79)
    (hidden,) = gpu.xid(94, at=gpu.now + 2.0)
    assert (hidden.suppressed_by, hidden.page, hidden.reason) == ("gpu_lost", False, "inhibited")


@pytest.mark.parametrize("code", [13, 31, 43, 45, 8, 68, 38, 106, 121])
def test_told_alone_opens_nothing(code: int) -> None:
    gpu = _bench()
    assert gpu.xid(code) == []
    assert gpu.run(3600) == []
    assert f"xid:{code}" in gpu.state.evidence


def test_unknown_and_unused_codes_are_warnings() -> None:
    gpu = _bench()
    (fired,) = gpu.xid(4711)
    assert (fired.rule, fired.severity, fired.page) == ("xid_driver", "warning", False)
    assert "unknown" in fired.summary
    assert CATALOGUE.entry(57).severity == "warning"


def test_31_repeated_on_one_gpu_asks_for_diagnostics() -> None:
    gpu = _bench()
    gpu.xid(31)
    gpu.run(3600)
    (fired,) = gpu.xid(31)
    assert (fired.rule, fired.severity, fired.page) == ("xid_repeated", "warning", False)
    assert fired.action_text.startswith("RUN_DCGMEUD")
    assert told(gpu.run(25 * 3600)) == [("xid_repeated", "resolved")]


def test_13_repeats_only_on_one_place() -> None:
    gpu = _bench()
    place = "Graphics SM Warp Exception on (GPC 9, TPC {}, SM 1): Out Of Range Address"
    gpu.xid(13, place.format(1))
    gpu.run(600)
    assert gpu.xid(13, place.format(2)) == []
    gpu.run(600)
    assert gpu.xid(13, "Graphics Exception: ESR 0x54d730=0x11c000e") == []
    gpu.run(600)
    assert told(gpu.xid(13, place.format(1))) == [("xid_repeated", "firing")]


def test_five_bursts_of_a_hardware_code_ask_for_support() -> None:
    gpu = _bench()
    for _ in range(5):
        gpu.xid(94)
        gpu.run(600)
    assert told(gpu.said) == [("xid_hardware", "firing"), ("xid_repeated", "firing")]
    assert gpu.said[-1].action_text.startswith("CONTACT_SUPPORT")


def test_109_pages_on_repeat() -> None:
    gpu = _bench()
    (first,) = gpu.xid(109)
    assert (first.rule, first.severity, first.page) == ("xid_driver", "error", False)
    gpu.run(600)
    (second,) = gpu.xid(109)
    assert (second.page, second.reason) == (True, "severity_raised")


@pytest.mark.parametrize(
    ("registers", "severity", "page"),
    [
        ("(0x0, 0x0, 0x10000, 0x0, 0x0, 0x0, 0x0)", "critical", True),
        ("(0x100000, 0x0, 0x0, 0x30000, 0x0, 0x0, 0x0)", "warning", False),
        ("(0x100100, 0x0, 0x0, 0x30000, 0x0, 0x0, 0x0)", "critical", True),
        ("", "critical", True),
    ],
)
def test_74_by_its_registers(registers: str, severity: str, page: bool) -> None:
    gpu = _bench()
    (fired,) = gpu.xid(74, f"NVLink: fatal error detected on link 14{registers}")
    assert (fired.severity, fired.page, fired.cause_class) == (severity, page, "link")


@pytest.mark.parametrize(
    ("word", "expected"), [("Nonfatal", []), ("Fatal", [("critical", True)]), ("", [("error", False)])]
)
def test_nvlink5_by_its_word(word: str, expected: list[tuple[str, bool]]) -> None:
    gpu = _bench()
    fired = gpu.xid(149, f"NETIR_LINK_EVT  {word}   XC0 i0 Link 08 (0x004505c6 0x00000000)")
    assert [(event.severity, event.page) for event in fired] == expected


@pytest.mark.parametrize("code", [62, 74, 119, 120, 143, 158])
def test_page_class_pages(code: int) -> None:
    gpu = _bench()
    (fired,) = gpu.xid(code)
    assert (fired.severity, fired.page) == ("critical", True)


def test_hardware_alert_without_a_reset_lasts_seven_days() -> None:
    gpu = _bench(60.0)
    gpu.xid(62)
    assert gpu.run(7 * 86_400 - 120) == []
    assert told(gpu.run(240)) == [("xid_hardware", "resolved")]


def test_links_and_memory_are_two_incidents() -> None:
    gpu = _bench()
    (link,) = gpu.xid(74)
    (memory,) = gpu.xid(95, at=gpu.now + 2.0)
    assert link.incident_id != memory.incident_id
    assert link.fingerprint != memory.fingerprint


def test_old_lines_at_first_sight_never_page_and_very_old_ones_are_evidence() -> None:
    gpu = Bench()
    gpu.tick()
    (ticket,) = gpu.send(gpu.now + 1, None, [xid_event(79, gpu.now - 3600.0)])
    assert (ticket.page, ticket.history) == (False, True)
    assert gpu.send(gpu.now + 2, None, [xid_event(94, gpu.now - 3 * 86_400.0)]) == []
    assert gpu.state.evidence["xid:94"].history


def test_latched_gauge_says_nothing() -> None:
    gpu = Bench()
    assert gpu.run(3600, {"xid_last": 79.0}) == []


def test_hosts_tell_their_gpus_apart_by_address() -> None:
    host = Bench("host:node1")
    events = [dict(xid_event(79, host.now), pci_bus_id=address) for address in ("0000:9b:00", "0000:38:00")]
    said = host.send(host.now, None, events)
    assert [(event.scope, event.gpu_id, event.host_id, event.pci_bus_id) for event in said] == [
        ("host", None, "node1", "0000:9b:00"),
        ("host", None, "node1", "0000:38:00"),
    ]
    assert len({event.incident_id for event in said}) == 2


def test_gap_is_not_clean() -> None:
    gpu = _bench(60.0)
    gpu.xid(79)
    gpu.run(12 * 3600)
    gpu.now += 20 * 3600
    gpu.said.clear()
    gpu.run(11 * 3600)
    assert {event.rule for event in gpu.said} == {"gpu_missing"}
    assert told(gpu.run(2 * 3600)) == [("gpu_lost", "resolved")]


def test_evidence_of_an_alert_is_bounded() -> None:
    gpu = _bench()
    for number in range(40):
        gpu.xid(4000 + number, at=gpu.now + number / 10.0)
    (alert,) = gpu.state.alerts.values()
    assert len(alert.codes) == 32
    assert [item["code"] for item in alert.evidence] == [4000, 4001, 4002, 4003, 4004, 4005, 4006, 4031]


@pytest.mark.parametrize(("code", "severities"), [(142, ["error"]), (152, []), (153, [])])
def test_what_the_catalogue_sends_to_support_is_told_and_what_it_ignores_is_not(
    code: int, severities: list[str]
) -> None:
    gpu = _bench()
    gpu.xid(code)
    gpu.run(120)
    assert [(event.severity, event.page) for event in gpu.said] == [(one, False) for one in severities]
