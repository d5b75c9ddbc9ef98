"""How the records of one GPU become what the look-ups show: rows, order, windows, the fleet in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import UNREADABLE
from schemas.times import parse_time

HOST_PREFIX = "host:"
WINDOW_SECONDS = 900.0
WINDOWS_KEPT_SECONDS = 24 * 3600.0
_TAKEN_EVERY_SECONDS = 60.0
SEVERITIES = ("critical", "error", "warning", "info")

_Row = TypeVar("_Row")


class OpenAlertRow(msgspec.Struct, frozen=True):
    """What of a GPU's open alert decides its place in the list."""

    severity: str
    page: bool


class StatusRow(msgspec.Struct, frozen=True):
    """The fields of a GpuStatus that lists are sorted and counted by; the rest stays undecoded."""

    gpu_id: str
    host_id: str
    last_seen: str
    samples: int
    model: str | None = None
    overall_score: int | None = None
    thermal_score: int | None = None
    memory_score: int | None = None
    power_score: int | None = None
    link_score: int | None = None
    band: str | None = None
    risk_score: int = 0
    risk_level: str = "low"
    failure_probability_7d: float = 0.0
    failure_probability_30d: float = 0.0
    action: str | None = None
    missing: bool = False
    simulated: bool = False
    alerts: tuple[OpenAlertRow, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a time that cannot be placed in a window (a decoder turns it into a DecodeError)."""
        parse_time(self.last_seen)

    @property
    def is_host(self) -> bool:
        """Whether the record tells of a host, not of a GPU."""
        return self.gpu_id.startswith(HOST_PREFIX)


class AlertRow(msgspec.Struct, frozen=True):
    """The fields of an AlertEvent that lists are filtered and sorted by."""

    fingerprint: str
    status: str
    severity: str
    page: bool
    updated_at: str
    starts_at: str = ""
    gpu_id: str | None = None


class AdviceRow(msgspec.Struct, frozen=True):
    """The fields of a Recommendation that lists are filtered and sorted by."""

    gpu_id: str
    action: str
    margin_usd: float


class RowCache(Generic[_Row]):
    """Decoded rows of a table of JSON bytes; a value is decoded again only when the table holds another one.

    A value that is not such a record has no row: the table may hold what a later version wrote.
    """

    def __init__(self, row_type: type[_Row]) -> None:
        self._decoder = msgspec.json.Decoder(row_type)
        self._rows: dict[bytes, tuple[bytes, _Row | None]] = {}

    def rows(self, table: Mapping[bytes, bytes]) -> list[tuple[_Row, bytes]]:
        """Return the row and the raw value of every entry of ``table``."""
        known = self._rows
        fresh: dict[bytes, tuple[bytes, _Row | None]] = {}
        found: list[tuple[_Row, bytes]] = []
        for key, value in table.items():
            entry = known.get(key)
            if entry is None or entry[0] is not value:
                entry = (value, decode_row(self._decoder, value))
            fresh[key] = entry
            if entry[1] is not None:
                found.append((entry[1], value))
        self._rows = fresh
        return found


def decode_row(decoder: msgspec.json.Decoder[_Row], value: bytes) -> _Row | None:
    """Return the row, None where ``value`` is no such record."""
    try:
        return decoder.decode(value)
    except UNREADABLE:
        return None


def worst_first(row: StatusRow) -> tuple[bool, bool, float, str]:
    """Sort key: an open page or critical alert, then any missing GPU, then the lowest overall score.

    >>> calm = StatusRow("GPU-a", "n", "2026-01-01T00:00:00Z", 1, overall_score=40)
    >>> loud = StatusRow("GPU-b", "n", "2026-01-01T00:00:00Z", 1, overall_score=90,
    ...     alerts=(OpenAlertRow("critical", True),))
    >>> [row.gpu_id for row in sorted([calm, loud], key=worst_first)]
    ['GPU-b', 'GPU-a']
    """
    loud = any(alert.page or alert.severity == "critical" for alert in row.alerts)
    score = 101.0 if row.overall_score is None else float(row.overall_score)
    return (not loud, not row.missing, score, row.gpu_id)


def riskiest_first(row: StatusRow) -> tuple[float, int, str]:
    """Sort key: the highest 30-day probability, then the highest rule score."""
    return (-row.failure_probability_30d, -row.risk_score, row.gpu_id)


def loudest_first(row: AlertRow) -> tuple[bool, int, str]:
    """Sort key of alerts: pages, then by severity; callers sort by time first, newest first."""
    rank = SEVERITIES.index(row.severity) if row.severity in SEVERITIES else len(SEVERITIES)
    return (not row.page, rank, row.fingerprint)


def fleet_summary(rows: Iterable[StatusRow], open_alerts: int) -> dict[str, Any]:
    """Return the fleet in numbers: GPUs, bands, missing, open alerts, whether any GPU is simulated."""
    gpus = [row for row in rows if not row.is_host]
    bands = Counter(row.band or "unscored" for row in gpus)
    return {
        "gpus": len(gpus),
        "bands": {band: bands[band] for band in ("excellent", "good", "fair", "degraded", "poor", "unscored")},
        "missing": sum(row.missing for row in gpus),
        "open_alerts": open_alerts,
        "simulated": any(row.simulated for row in gpus),
    }


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


def resolved_to_forget(rows: Iterable[AlertRow], keep: int) -> list[str]:
    """Return the fingerprints of all resolved alerts but the ``keep`` newest."""
    resolved = sorted((row for row in rows if row.status == "resolved"), key=lambda row: row.updated_at, reverse=True)
    return [row.fingerprint for row in resolved[keep:]]


def is_over(row: AlertRow, known: AlertRow | None) -> bool:
    """Tell whether ``row`` fires what is known to be resolved since.

    Whoever takes over a partition reads its last seconds again, and a page must not open old alerts meanwhile.
    """
    return (
        row.status == "firing"
        and known is not None
        and known.status == "resolved"
        and known.starts_at == row.starts_at
    )
