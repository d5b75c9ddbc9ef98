"""How the records of one GPU become what the look-ups show: rows, order, the fleet in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import UNREADABLE
from schemas.times import parse_time

HOST_PREFIX = "host:"
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
