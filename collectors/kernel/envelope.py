"""What a kernel message comes wrapped in: dmesg, /dev/kmsg, syslog, journald and log shippers, each in its forms.

References
----------
printk records and their escapes: Documentation/ABI/testing/dev-kmsg of Linux. Journal fields and formats:
systemd.journal-fields(7), journalctl(1), systemd.io/JOURNAL_EXPORT_FORMATS. Syslog: RFC 3164, RFC 5424. Container
logs: the Kubernetes CRI logging format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from collectors.damage import Damage
from collectors.kernel.times import line_time, uptime
from schemas.times import EARLIEST, LATEST, parse_time

MAX_LINE_CHARS: Final = 2_000
# Who says that a line is the kernel's.
_KERNEL: Final = frozenset({"kernel", "vmkernel", "klogd", "kern", "kmsg", "dmesg"})
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BREAK: Final = re.compile(r"\\x0a|#012|\\n(?=NVRM:)|\r?\n")
_PRIORITY: Final = re.compile(r"<(\d{1,3})>(?:1 (?=\S+ ))?")
_FACILITY: Final = re.compile(r"\s*(kern|user|daemon|local\d|syslog|auth\w*)\s*:\w+\s*: ")
_KMSG: Final = re.compile(r"(\d{1,4}),(\d+),(\d+),[^;]*;(.*)", re.DOTALL)
_CRI: Final = re.compile(r"(\S+T\S+) (?:stdout|stderr) [FP] (.*)", re.DOTALL)
_RFC5424: Final = re.compile(r"(\S+) (\S+) (\S+) \S+ \S+ (?:-|\[.*?\]) ?(.*)", re.DOTALL)
_CLOCK: Final = (
    r"(?:\[?\d{9,11}\.\d{1,9}\]?"  # journalctl -o short-unix
    r"|\[ {0,16}\d{1,12}\.\d{1,9}\]"  # dmesg, journalctl -o short-monotonic
    r"|[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?"
    r"|(?:[A-Z][a-z]{2} )?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?P<fraction>[.,]\d{1,9})?"
    r"(?:Z| ?[+-]\d{2}:?\d{2}| [A-Z]{3,4})?)"
)
_TAGGED: Final = re.compile(
    _CLOCK + r" +(?P<host>[A-Za-z0-9][\w.-]*) +(?P<tag>[\w./-]+)(?:\[\d+\])?: +(?P<text>.*)", re.DOTALL
)
_UNIX: Final = re.compile(r"\[?(\d{9,11}\.\d{1,9})\]? ")
_EXPORT: Final = re.compile(r"(__CURSOR|__REALTIME_TIMESTAMP|__MONOTONIC_TIMESTAMP)=")
_MESSAGE_KEYS: Final = ("MESSAGE", "message", "log", "msg", "body", "line")
_TIME_KEYS: Final = ("time", "timestamp", "@timestamp", "ts", "date")
_HOST_KEYS: Final = ("_HOSTNAME", "hostname", "host", "node", "node_name", "kubernetes_host")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the kernel's log.

    ``line`` is the line as it stood (cleaned of colours and control characters), ``text`` what the kernel wrote.
    ``time`` is epoch seconds, ``uptime`` seconds since boot; None where the line does not tell. ``kernel``: whether
    the line says that the kernel wrote it; None: it does not say (a plain text has no transport).
    """

    line: str
    text: str
    number: int
    host: str | None = None
    time: float | None = None
    uptime: float | None = None
    kernel: bool | None = None


def is_record(line: str) -> bool:
    """Tell whether ``line`` is a log's record in JSON, and no raw message."""
    try:
        found = orjson.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "gpu_id" not in found and any(key in found for key in _MESSAGE_KEYS)


def is_exported(line: str) -> bool:
    """Tell whether a log that begins with ``line`` is of ``journalctl -o export``."""
    return _EXPORT.match(line) is not None


def exported(lines: Iterable[str], *, damage: Damage | None = None) -> Iterator[Entry]:
    """Yield the entries of ``journalctl -o export``: a field a line, an empty line after each record."""
    damage = damage if damage is not None else Damage()
    fields: dict[str, str] = {}
    number = 0
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        if line:
            name, _, value = line.partition("=")
            fields[name] = value
        elif fields:
            yield from _of_fields(fields, "", number, damage)
            fields = {}
    if fields:
        yield from _of_fields(fields, "", number, damage)


def unwrap(line: str, number: int = 0, *, near: float, damage: Damage | None = None) -> Iterator[Entry]:
    """Yield the entries of one line; never raises.

    >>> [one.text for one in unwrap("<4>Sep 20 10:05:00 n1 kernel: NVRM: a", near=0.0)]
    ['NVRM: a']
    """
    damage = damage if damage is not None else Damage()
    if line.lstrip()[:1] == "{":
        try:
            found = orjson.loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            yield from _of_fields(found, line, number, damage)
            return
    yield from _split(_of_text(clean(line), number, near))


def clean(text: str) -> str:
    """Return ``text`` without colours, NUL bytes and carriage returns, at most MAX_LINE_CHARS long."""
    return _ANSI.sub("", text).replace("\x00", "").replace("\r", "")[:MAX_LINE_CHARS]


def _split(entry: Entry) -> Iterator[Entry]:
    """A printk of several lines is one record; rsyslog and /dev/kmsg print its newlines as escapes."""
    parts = [part for part in _BREAK.split(entry.text) if part]
    if len(parts) <= 1:
        yield replace(entry, text=parts[0] if parts else "", line=entry.line.rstrip("\n"))
        return
    for part in parts:
        yield replace(entry, text=part, line=part)


def _of_text(line: str, number: int, near: float) -> Entry:
    text, kernel, at, boot = line, None, None, None
    if cri := _CRI.match(text):
        at, text = _parsed(cri[1]), cri[2]
    if kmsg := _KMSG.match(text):
        return Entry(line, kmsg[4], number, None, at, int(kmsg[3]) / 1e6, int(kmsg[1]) >> 3 == 0)
    if priority := _PRIORITY.match(text):
        kernel = int(priority[1]) >> 3 == 0
        text = text[priority.end() :]
        if priority[0].endswith("1 ") and (five := _RFC5424.match(text)):
            told = _parsed(five[1])
            tag = five[3].lower()
            return Entry(line, five[4], number, _host(five[2]), at or told, uptime(five[4]), kernel or tag in _KERNEL)
    if facility := _FACILITY.match(text):
        kernel = facility[1] == "kern"
        text = text[facility.end() :]
    host = None
    told = _unix(text)
    if told is None:
        told, boot = line_time(text, near=near), uptime(text)
    if tagged := _TAGGED.match(text):
        tag = tagged["tag"].lower()
        # `dmesg --time-format iso` has a comma and no host: what looks like one is a driver and its device.
        if tag in _KERNEL or (not (tagged["fraction"] or "").startswith(",") and not text.startswith("[")):
            host, text = _host(tagged["host"]), tagged["text"]
            if tag not in _KERNEL:
                kernel = False
            elif kernel is None:
                kernel = True
    return Entry(line, text, number, host, told if told is not None else at, boot, kernel)


def _of_fields(fields: Mapping[str, Any], line: str, number: int, damage: Damage) -> Iterator[Entry]:
    """Of a record of journald, or of a shipper that writes JSON."""
    name = next((key for key in _MESSAGE_KEYS if key in fields), None)
    message = fields.get(name or "")
    if isinstance(message, list):  # journald prints what is no UTF-8, or has a control character, as bytes
        message = bytes(one for one in message if isinstance(one, int) and 0 <= one < 256).decode("utf-8", "replace")
    if not isinstance(message, str):
        damage.add("a record without a message (journald prints null above its size limit)", number, line)
        return
    text = clean(message)
    transport, tag = fields.get("_TRANSPORT"), fields.get("SYSLOG_IDENTIFIER")
    kernel: bool | None = None
    if isinstance(transport, str):
        kernel = transport == "kernel"
    elif isinstance(tag, str):
        kernel = tag.lower() in _KERNEL
    at = _micros(fields.get("__REALTIME_TIMESTAMP") or fields.get("_SOURCE_REALTIME_TIMESTAMP"))
    if at is None:
        told = (fields[key] for key in _TIME_KEYS if key in fields)
        at = next((moment for one in told if (moment := _parsed(one)) is not None), None)
    boot = _micros(fields.get("_SOURCE_MONOTONIC_TIMESTAMP") or fields.get("__MONOTONIC_TIMESTAMP"), moment=False)
    host = next((_host(fields[key]) for key in _HOST_KEYS if isinstance(fields.get(key), str)), None)
    for part in _split(Entry(text, text, number, host, at, boot, kernel)):
        inner = _of_text(part.text, number, at or 0.0)  # a shipper's message has its own prefix
        yield replace(
            inner,
            host=part.host or inner.host,
            time=part.time if part.time is not None else inner.time,
            uptime=part.uptime if part.uptime is not None else inner.uptime,
            kernel=inner.kernel if part.kernel is None else part.kernel,
        )


def _host(text: str) -> str | None:
    """Return a host's name; syslog prints ``-`` where it has none."""
    return None if text in ("-", "") else text


def _unix(text: str) -> float | None:
    match = _UNIX.match(text)
    moment = float(match[1]) if match else None
    return moment if moment is not None and EARLIEST <= moment <= LATEST else None


def _parsed(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for scale in (1.0, 1e3, 1e6, 1e9):
            if EARLIEST <= value / scale <= LATEST:
                return float(value / scale)
        return None
    try:
        return parse_time(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _micros(value: Any, *, moment: bool = True) -> float | None:
    try:
        seconds = int(value) / 1e6
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if not moment or EARLIEST <= seconds <= LATEST else None
