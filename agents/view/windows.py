"""15-minute windows of a GPU's scores, as the look-ups show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agents.view.rows import StatusRow
from schemas.times import parse_time

WINDOW_SECONDS = 900.0
WINDOWS_KEPT_SECONDS = 24 * 3600.0
_TAKEN_EVERY_SECONDS = 60.0


class Extent(msgspec.Struct, array_like=True):
    """Least, greatest, last and mean of one score in a window; ``count`` 0: never known in it."""

    least: float = 0.0
    greatest: float = 0.0
    last: float = 0.0
    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> Extent:
        """Return the extent that has seen ``value`` too."""
        if value is None:
            return self
        if self.count == 0:
            return Extent(value, value, value, value, 1)
        return Extent(min(self.least, value), max(self.greatest, value), value, self.total + value, self.count + 1)

    def shown(self) -> dict[str, float] | None:
        """Return it as the look-up shows it."""
        if self.count == 0:
            return None
        mean = round(self.total / self.count, 6)
        return {"min": self.least, "max": self.greatest, "mean": mean, "last": self.last}


_EXTENTS: Mapping[str, Callable[[StatusRow], float | None]] = {
    "overall_score": lambda row: row.overall_score,
    "thermal_score": lambda row: row.thermal_score,
    "memory_score": lambda row: row.memory_score,
    "power_score": lambda row: row.power_score,
    "link_score": lambda row: row.link_score,
    "risk_score": lambda row: row.risk_score,
    "failure_probability_30d": lambda row: row.failure_probability_30d,
}


class Window(msgspec.Struct, array_like=True):
    """One GPU's statuses within 15 minutes of event time.

    A status delivered again is not newer than ``last_seen``, so it changes nothing.
    """

    version: int = 1
    statuses: int = 0
    first_seen: str = ""
    last_seen: str = ""
    missing: bool = False
    most_alerts: int = 0
    extents: list[Extent] = []

    def shown(self, start: str, end: str) -> dict[str, Any]:
        """Return it as the look-up shows it; the extents are named."""
        named = zip(_EXTENTS, self.extents, strict=False)
        return {
            "start": start,
            "end": end,
            "statuses": self.statuses,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "missing": self.missing,
            "most_alerts": self.most_alerts,
            **{name: extent.shown() for name, extent in named},
        }


def update_window(window: Window | None, row: StatusRow) -> Window | None:
    """Return the window that has taken ``row``; None where the row says nothing new.

    A status that is not newer is taken only where it changes ``missing`` or the open alerts; a newer one where
    a score changed, else once a minute, since each taking is a write to the changelog.
    """
    if window is None:
        window = Window(first_seen=row.last_seen, extents=[Extent() for _ in _EXTENTS])
    missing, most = window.missing or row.missing, max(window.most_alerts, len(row.alerts))
    if not _is_newer(window, row):
        if (missing, most) == (window.missing, window.most_alerts):
            return None
        return msgspec.structs.replace(window, missing=missing, most_alerts=most)
    return Window(
        statuses=window.statuses + 1,
        first_seen=window.first_seen,
        last_seen=row.last_seen,
        missing=missing,
        most_alerts=most,
        extents=[
            extent.add(value_of(row)) for extent, value_of in zip(window.extents, _EXTENTS.values(), strict=True)
        ],
    )


def _is_newer(window: Window, row: StatusRow) -> bool:
    if window.statuses == 0:
        return True
    later_seconds = parse_time(row.last_seen) - parse_time(window.last_seen)
    if later_seconds <= 0.0:
        return False
    known = (extent.last if extent.count else None for extent in window.extents)
    pairs = zip(_EXTENTS.values(), known, strict=True)
    # The probability, last of the extents, moves a little with every sample.
    changed = any(value_of(row) != last for value_of, last in list(pairs)[:-1])
    return changed or later_seconds >= _TAKEN_EVERY_SECONDS
