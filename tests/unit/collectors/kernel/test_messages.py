"""Whose an XID is and when it came: names hold from their line, a host and a boot at a time; uptimes keep apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.damage import Damage
from collectors.kernel.envelope import MAX_LINE_CHARS
from collectors.kernel.log import NOT_KERNEL
from collectors.kernel.messages import log_messages

NEAR = datetime(2026, 9, 20, 12, tzinfo=UTC).timestamp()
OLD, NEW = "GPU-00000000-0000-4000-8000-00000000aaaa", "GPU-00000000-0000-4000-8000-00000000bbbb"
LOST = "NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus."
BOOT = "Linux version 6.8.0-79-generic"


def name(uuid: str) -> str:
    return f"NVRM: GPU at PCI:0000:17:00: {uuid}"


def read(*lines: str, **options: Any) -> list[dict[str, Any]]:
    return list(log_messages([f"{line}\n" for line in lines], host_id="n1", near=NEAR, **options))


def iso(*texts: str) -> list[str]:
    return [f"2026-09-20T10:{minute:02d}:00,000001+00:00 {text}" for minute, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("lines", "owner"),
    [
        ((name(OLD), LOST, BOOT, name(NEW)), OLD),
        ((name(OLD), LOST, name(NEW)), OLD),
        ((name(OLD), BOOT, LOST, name(NEW)), NEW),
        ((name(OLD), name(NEW), LOST), NEW),
        ((LOST, name(OLD)), OLD),
        ((LOST, BOOT, name(NEW)), "host:n1"),
        ((name(OLD), BOOT, LOST), OLD),
        ((LOST,), "host:n1"),
        ((name(OLD).replace("17", "18"), LOST), "host:n1"),
    ],
)
def test_a_name_holds_from_its_line_to_the_next_of_its_address(lines: tuple[str, ...], owner: str) -> None:
    assert [message["gpu_id"] for message in read(*iso(*lines))] == [owner]


def test_an_uptime_that_begins_again_is_a_boot() -> None:
    (message,) = read(f"[ 900.0] {LOST}", f"[ 4.0] {name(NEW)}")
    assert message["gpu_id"] == "host:n1"


def test_two_hosts_of_a_central_syslog_keep_their_addresses_apart() -> None:
    def line(host: str, text: str) -> str:
        return f"Sep 19 14:02:00 {host} kernel: {text}"

    found = read(line("a", name(OLD)), line("b", name(NEW)), line("a", LOST), line("b", LOST), one_host=True)
    assert [(message["host_id"], message["gpu_id"]) for message in found] == [("a", OLD), ("b", NEW)]
    (alone,) = read(line("a", LOST), one_host=True)
    assert alone["host_id"] == "n1"  # as the user calls it
    (alone,) = read(line("a", LOST))
    assert alone["host_id"] == "a"


def test_an_exporters_address_names_what_the_log_does_not() -> None:
    known = {("n1", "0000:17:00"): NEW}
    assert [message["gpu_id"] for message in read(*iso(LOST), known=known)] == [NEW]
    assert [message["gpu_id"] for message in read(*iso(name(OLD), LOST), known=known)] == [OLD]
    assert [message["gpu_id"] for message in read(*iso(LOST), known={("n2", "0000:17:00"): NEW})] == ["host:n1"]


def test_lines_with_an_uptime_alone_keep_their_distance_before_the_end() -> None:
    xid = "NVRM: Xid (PCI:0000:17:00): 13, x"
    found = read(f"[ 100.0] {xid}", f"[ 400.0] {xid}", f"[ 50.0] {xid}", f"[ 30000.0] {xid}", "[ 30010.0] usb 1-1: x")
    seconds = [NEAR - datetime.fromisoformat(message["timestamp"]).timestamp() for message in found]
    assert seconds == [30010.0 + 300.0, 30010.0, 30010.0 - 50.0, 10.0]


def test_a_wrapped_recovery_action_is_joined() -> None:
    cut = "NVRM: Xid (PCI:0000:17:00): 154, GPU recovery action changed from 0x0 (None)"
    joined, after = read(f"[ 1.0] {cut}", "         to 0x2 (Node Reboot Required)", f"[ 1.1] {LOST}")
    assert joined["events"][0]["line"].endswith("(None) to 0x2 (Node Reboot Required)")
    assert after["events"][0]["code"] == 79
    alone, after = read(f"[ 1.0] {cut}", f"[ 1.1] {LOST}")
    assert (alone["events"][0]["code"], after["events"][0]["code"]) == (154, 79)
    assert len(read(f"[ 1.0] {cut}")) == 1


def test_a_flood_after_a_loss_is_one_event() -> None:
    failed = "NVRM: nvAssertFailedNoLog: Assertion failed: 0 @ gmmu_walk.c"
    flood = [f"[{5000.1 + number * 0.002:.6f}] {failed}:{number}" for number in range(60_000)]
    found = read(f"[5000.0] {LOST}", *flood)
    assert [message["events"][0]["code"] for message in found] == [79]


def test_a_forged_line_is_told_and_does_nothing() -> None:
    damage = Damage()
    lines = (f"Sep 19 14:02:00 a root: {LOST}", f"Sep 19 14:02:00 a root: {name(NEW)}")
    assert read(*lines, damage=damage) == []
    (message,) = read(*lines, f"Sep 19 14:02:01 a kernel: {LOST}", damage=damage)
    assert message["gpu_id"] == "host:a"
    assert damage.counts == {NOT_KERNEL: 2}


def test_a_loss_has_the_errors_of_the_port_above_with_it() -> None:
    port = "pcieport 0000:00:02.0: "
    aer = (
        f"[74785.66] {port}AER: Corrected error received: 0000:00:02.0",
        f"[74889.542031] {port}AER: Uncorrected (Fatal) error received: 0000:00:02.0",
        "[74889.55] pcieport 0000:00:05.0: AER: Corrected error received: 0000:00:05.0",
        f"[74889.644138] {LOST}",
    )
    (message,) = read(*aer)
    assert message["events"][0]["line"].split("\n") == [aer[3], aer[0], aer[1]]
    assert len(message["events"][0]["line"]) <= MAX_LINE_CHARS
    assert read(*aer[:3]) == []
    (late,) = read(*aer[:3], f"[74890.1] {LOST}")  # half a second later: another matter
    assert "AER" not in late["events"][0]["line"]
