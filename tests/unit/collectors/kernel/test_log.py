"""Kernel log lines: every prefix, every address form, losses without an XID, and no doubles."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kernel.log import SOURCE, SOURCE_NO_XID, KernelLog, read_log
from collectors.kernel.messages import event_message, log_messages
from collectors.kernel.times import line_time

NEAR = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kern  :warn  : 2025-01-21T04:41:44,283302+00:00 NVRM: x", at("2025-01-21T04:41:44.283302")),
        ("2024-11-15T12:02:03,506595+01:00 NVRM: x", at("2024-11-15T11:02:03.506595")),
        ("[Sun Feb 23 16:24:24 2025] NVRM: x", at("2025-02-23T16:24:24")),
        ("Feb  9 03:09:55 host kernel: NVRM: x", at("2026-02-09T03:09:55")),
        ("Oct 31 04:01:00 host kernel: [144539.56] NVRM: x", at("2025-10-31T04:01:00")),
        ("Feb 29 04:01:00 host kernel: NVRM: x", at("2024-02-29T04:01:00")),
        ("NVRM: x", None),
        ("Xyz 99 04:01:00 host kernel: NVRM: x", None),
        ("2025-13-41T04:41:44 NVRM: x", None),
    ],
)
def test_times(line: str, expected: float | None) -> None:
    assert line_time(line, near=NEAR) == expected


def test_an_uptime_needs_the_time_of_the_boot() -> None:
    line = "[ 1070.75] [ T1946] NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."
    assert line_time(line, near=NEAR) is None
    assert line_time(line, near=NEAR, boot_time=NEAR) == NEAR + 1070.75


@pytest.mark.parametrize(
    ("line", "code", "address"),
    [
        ("NVRM: Xid (PCI:0000:9b:00): 119, pid=2, name=x, Timeout", 119, "0000:9b:00"),
        ("Xid (PCI:0000:9B:00.0): 48, x", 48, "0000:9b:00"),
        ("NVRM: Xid (0000:05:00): 56, CMDre 0", 56, "0000:05:00"),
        ("NVRM: Xid (0001:00): 6, PE0001", 6, "0000:01:00"),
        ("NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, x", 94, "0000:01:00"),
        ("NVRM: Xid (PCI:0000:01:00 GPU-I:05 GPU-CI:00): 43, x", 43, "0000:01:00"),
        ("NVRM: Xid (PCI:000f:01:00): 120", 120, "000f:01:00"),
    ],
)
def test_xids(line: str, code: int, address: str) -> None:
    (event,) = KernelLog(near=NEAR).read(line)
    assert (event.type, event.code, event.pci_bus_id, event.source) == ("xid", code, address, SOURCE)


def test_an_nvswitch_error_is_no_xid_and_belongs_to_the_host() -> None:
    (event,) = KernelLog(near=NEAR).read("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 12028, Non-fatal")
    assert (event.type, event.code) == ("sxid", 12028)
    message = event_message(event, host_id="n1", near=NEAR, uuid="GPU-1")
    assert message["gpu_id"] == "host:n1"


@pytest.mark.parametrize(
    "lines",
    [
        ["Feb  1 00:00:00 h kernel: NVRM: GPU 0000:18:00.0: GPU has fallen off the bus."],
        [
            "Feb  1 00:00:00 h kernel: NVRM: The NVIDIA GPU 0000:18:00.0",
            "Feb  1 00:00:00 h kernel: NVRM: (PCI ID: 10de:2330) installed in this system has",
            "Feb  1 00:00:00 h kernel: NVRM: fallen off the bus and is not responding to commands.",
        ],
    ],
)
def test_a_gpu_lost_without_an_xid_is_told_as_79(lines: list[str]) -> None:
    (event,) = read_log(lines, near=NEAR)
    assert (event.code, event.pci_bus_id, event.source) == (79, "0000:18:00", SOURCE_NO_XID)
    assert event.time == at("2026-02-01T00:00:00")


def test_a_loss_told_by_its_xid_is_not_told_twice() -> None:
    lines = [
        "Feb  1 00:00:00 h kernel: NVRM: Xid (PCI:0000:18:00): 79, GPU has fallen off the bus.",
        "Feb  1 00:00:01 h kernel: NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.",
        "Feb  1 00:10:00 h kernel: NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.",
    ]
    assert [event.source for event in read_log(lines, near=NEAR)] == [SOURCE, SOURCE_NO_XID]


def test_a_half_told_loss_ends_after_three_lines() -> None:
    lines = ["NVRM: The NVIDIA GPU 0000:18:00.0", "a", "b", "c", "NVRM: fallen off the bus and is not responding"]
    assert list(read_log(lines, near=NEAR)) == []


def test_the_address_joins_the_event_to_its_gpu() -> None:
    lines = [
        "NVRM: GPU at PCI:0000:9b:00: GPU-509665ad-b600-ac93-3616-d754b23d636d",
        "NVRM: Xid (PCI:0000:9b:00): 119, x",
    ]
    (message,) = log_messages(lines, host_id="n1", near=NEAR)
    assert message["gpu_id"] == "GPU-509665ad-b600-ac93-3616-d754b23d636d"
    assert message["metrics"] == {}
    assert message["events"][0] == {
        "type": "xid",
        "code": 119,
        "pci_bus_id": "0000:9b:00",
        "line": "NVRM: Xid (PCI:0000:9b:00): 119, x",
        "timestamp": "2026-03-01T00:00:00.000Z",
    }


@given(st.text(), st.sampled_from(["NVRM: Xid (PCI:0000:9b:00): ", "NVRM: GPU ", "[", "Feb 30 10:00:00 ", ""]))
def test_any_line_is_read(text: str, prefix: str) -> None:
    KernelLog(near=NEAR, boot_time=NEAR).read(prefix + text)
