"""RFC 3339 UTC times in messages, epoch seconds in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

# Nothing that reports GPU telemetry is older; a clock that says so was never set.
EARLIEST: Final = datetime(2010, 1, 1, tzinfo=UTC).timestamp()
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - for differences of naive times, which are UTC

_OFFSET_LENGTH: Final = len("+00:00")


def parse_time(text: str | float | int) -> float:
    """Return epoch seconds of an RFC 3339 or ISO 8601 time; a naive one is UTC, a number is epoch seconds.

    Raises
    ------
    ValueError
        Not a time, or outside 2010 to 2200.

    >>> parse_time("2026-02-09T12:00:00.5") == parse_time("2026-02-09T13:00:00.5+01:00")
    True
    """
    if isinstance(text, str):
        moment = datetime.fromisoformat(text)
        seconds = moment.timestamp() if moment.tzinfo is not None else (moment - _EPOCH).total_seconds()
    else:
        seconds = float(text)
    if not EARLIEST <= seconds <= LATEST:
        raise ValueError(f"time {text!r} lies outside 2010 to 2200")
    return seconds


def format_time(seconds: float) -> str:
    """Return RFC 3339 UTC with milliseconds.

    >>> format_time(1770638400.25)
    '2026-02-09T12:00:00.250Z'
    """
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds")[:-_OFFSET_LENGTH] + "Z"
