"""Every form in which a kernel message is kept gives its text, host, time and whether the kernel wrote it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.damage import Damage
from collectors.kernel.envelope import exported, unwrap

AT = datetime(2026, 9, 20, 10, 5, tzinfo=UTC).timestamp()
TEXT = "NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus."
MICROS = f"{AT * 1e6:.0f}"
BYTES = str(list(TEXT.encode() + b"\r"))


@pytest.mark.parametrize(
    ("line", "host", "time", "uptime", "kernel"),
    [
        (TEXT, None, None, None, None),
        (f"[ 1000.500000] {TEXT}", None, None, 1000.5, None),
        (f"\x1b[32m[ 1000.500000] \x1b[0m{TEXT}", None, None, 1000.5, None),
        (f"<3>[ 1000.500000] {TEXT}", None, None, 1000.5, True),
        (f"3,812,1000500000,-;{TEXT}", None, None, 1000.5, True),
        (f"12,812,1000500000,-;{TEXT}", None, None, 1000.5, False),
        (f"kern  :warn  : 2026-09-20T10:05:00,000000+00:00 {TEXT}", None, AT, None, True),
        (f"user  :notice: 2026-09-20T10:05:00,000000+00:00 {TEXT}", None, AT, None, False),
        (f"[Sun Sep 20 10:05:00 2026] {TEXT}", None, AT, None, None),
        (f"Sep 20 10:05:00 node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"Sep 20 10:05:00 node-a kernel: [ 1000.500000] {TEXT}", "node-a", AT, 1000.5, True),
        (f"<4>Sep 20 10:05:00 node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"Sep 20 10:05:00 node-a root: {TEXT}", "node-a", AT, None, False),
        (f"Sep 20 10:05:00 node-a python3[77]: {TEXT}", "node-a", AT, None, False),
        (f"2026-09-20T12:05:00.000+02:00 node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"2026-09-20T10:05:00+0000 node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"Sun 2026-09-20 10:05:00 UTC node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"<4>1 2026-09-20T10:05:00Z node-a kernel - - - {TEXT}", "node-a", AT, None, True),
        (f"[1789898700.000000] node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"1789898700.000000 node-a kernel: {TEXT}", "node-a", AT, None, True),
        (f"[ 1000.500000] node-a kernel: {TEXT}", "node-a", None, 1000.5, True),
        (f"2026-09-20T10:05:00.000000000Z stdout F {TEXT}", None, AT, None, None),
        (
            f'{{"__REALTIME_TIMESTAMP":"{MICROS}","_TRANSPORT":"kernel","_HOSTNAME":"node-a","MESSAGE":"{TEXT}"}}',
            "node-a",
            AT,
            None,
            True,
        ),
        (f'{{"__REALTIME_TIMESTAMP":"{MICROS}","_TRANSPORT":"kernel","MESSAGE":{BYTES}}}', None, AT, None, True),
        (f'{{"__REALTIME_TIMESTAMP":"{MICROS}","_TRANSPORT":"syslog","MESSAGE":"{TEXT}"}}', None, AT, None, False),
        (f'{{"time":"2026-09-20T10:05:00Z","host":"node-a","log":"{TEXT}\\n"}}', "node-a", AT, None, None),
        (f'{{"ts":{AT * 1000:.0f},"message":"Sep 20 10:05:00 node-a kernel: {TEXT}"}}', "node-a", AT, None, True),
    ],
)
def test_a_line_is_unwrapped(
    line: str, host: str | None, time: float | None, uptime: float | None, kernel: bool | None
) -> None:
    (entry,) = unwrap(line, near=AT + 60.0)
    assert entry.text.endswith(TEXT)
    assert (entry.host, entry.time, entry.uptime, entry.kernel) == (host, time, uptime, kernel)


@pytest.mark.parametrize("newline", ["\\x0a", "#012", "\n"])
def test_a_record_of_several_lines_is_several_entries(newline: str) -> None:
    parts = ["NVRM: The NVIDIA GPU 0000:17:00.0", "NVRM: (PCI ID: 10de:2330)", "NVRM: fallen off the bus"]
    found = list(unwrap(f"Sep 20 10:05:00 node-a kernel: {newline.join(parts)}{newline}", near=AT))
    assert [entry.text for entry in found] == parts
    assert {(entry.host, entry.kernel) for entry in found} == {("node-a", True)}


def test_a_journal_export_is_read_and_a_record_without_a_message_counted() -> None:
    record = f"__CURSOR=s=1\n__REALTIME_TIMESTAMP={MICROS}\n_HOSTNAME=node-a\n_TRANSPORT=kernel\n"
    damage = Damage()
    lines = f"{record}MESSAGE={TEXT}\n\n{record}\n{record}MESSAGE=last\n".splitlines(keepends=True)
    found = list(exported(lines, damage=damage))
    assert [(entry.text, entry.host, entry.time, entry.kernel) for entry in found] == [
        (TEXT, "node-a", AT, True),
        ("last", "node-a", AT, True),
    ]
    assert damage.total == 1


@given(st.text(), st.sampled_from(["", "<3>", "<4>1 ", "{", '{"MESSAGE": ', "3,1,2,-;", "Sep 20 10:05:00 "]))
def test_any_line_is_unwrapped(text: str, prefix: str) -> None:
    list(unwrap(prefix + text, near=AT))
