"""When a kernel log line was written: the time prefixes that dmesg, journald and syslog print."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from schemas.times import EARLIEST, LATEST

_ISO: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?")
_CTIME: Final = re.compile(
    r"\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}:\d{2}:\d{2}) (\d{4})\]?"
)
_SYSLOG: Final = re.compile(r"^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))? ")
_UPTIME: Final = re.compile(r"\[ {0,16}(\d{1,12}\.\d{1,9})\]")
_PREFIX_CHARS: Final = 120
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_SECONDS: Final = 86_400.0


def uptime(line: str) -> float | None:
    """Return the seconds since boot that a line begins with, None where it has none.

    >>> uptime("[144539.565379] NVRM: Xid")
    144539.565379
    """
    match = _UPTIME.search(line[:_PREFIX_CHARS])
    return float(match[1]) if match else None


def line_time(line: str, *, near: float, boot_time: float | None = None) -> float | None:
    """Return epoch seconds of a line, None where it tells no usable time. Times without a zone are UTC.

    Parameters
    ----------
    near
        Syslog prints no year: the year that puts the line nearest before ``near`` (a day of slack) is taken.
    boot_time
        For a line with an uptime alone.

    >>> line_time("kern  :warn  : 2025-01-21T04:41:44,283302+00:00 NVRM: Xid", near=0.0)
    1737434504.283302
    """
    prefix = line[:_PREFIX_CHARS]
    try:
        moment = _iso(prefix) or _ctime(prefix) or _syslog(prefix, near)
    except (ValueError, OverflowError):  # such as month 13: no time, and the line still counts
        moment = None
    if moment is None and boot_time is not None:
        seconds = uptime(line)
        moment = None if seconds is None else boot_time + seconds
    return moment if moment is not None and EARLIEST <= moment <= LATEST else None


def _iso(prefix: str) -> float | None:
    match = _ISO.search(prefix)
    if match is None:
        return None
    zone = "+00:00" if match[4] in (None, "Z") else match[4]
    fraction = f".{match[3][:6]:0<6}" if match[3] else ""
    return datetime.fromisoformat(f"{match[1]}T{match[2]}{fraction}{zone}").timestamp()


def _ctime(prefix: str) -> float | None:
    match = _CTIME.search(prefix)
    if match is None or match[1] not in _MONTHS:
        return None
    return _moment(int(match[4]), match[1], int(match[2]), match[3])


def _syslog(prefix: str, near: float) -> float | None:
    match = _SYSLOG.match(prefix)
    if match is None or match[1] not in _MONTHS:
        return None
    fraction = float(f"0.{match[4]}") if match[4] else 0.0
    year = datetime.fromtimestamp(near, UTC).year
    for candidate in range(year + 1, year - 8, -1):  # 29 February may be years back
        try:
            moment = _moment(candidate, match[1], int(match[2]), match[3]) + fraction
        except ValueError:
            continue
        if moment <= near + _DAY_SECONDS:
            return moment
    return None


def _moment(year: int, month: str, day: int, clock: str) -> float:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return datetime(year, _MONTHS.index(month) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()
