"""How the records of one GPU become what the look-ups show: rows, order, the fleet in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import inf
from sys import intern
from typing import Any, Final

import msgspec

from schemas.raw import HOST_PREFIX
from schemas.times import parse_time

SEVERITIES = ("critical", "error", "warning", "info")
_BANDS = ("excellent", "good", "fair", "degraded", "poor", "insufficient", "unscored")
# Texts that many GPUs share are kept once: they are a third of a row.
_SHARED = ("host_id", "model", "band", "risk_level", "action")


class OpenAlertRow(msgspec.Struct, frozen=True, gc=False):
    """What of a GPU's open alert decides its place in the list."""

    severity: str
    page: bool


class StatusRow(msgspec.Struct, frozen=True, gc=False):
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
        for name in _SHARED:
            text = getattr(self, name)
            if text is not None:
                msgspec.structs.force_setattr(self, name, intern(text))

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
    margin_usd: float | None


def by_id(row: StatusRow) -> tuple[str]:
    """Sort key: the gpu_id."""
    return (row.gpu_id,)


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


def largest_margin_first(row: AdviceRow) -> tuple[float, str]:
    """Sort key of advice; what has no price comes last."""
    return (inf if row.margin_usd is None else -row.margin_usd, row.gpu_id)


def loudest_first(row: AlertRow) -> tuple[bool, int, str]:
    """Sort key of alerts: pages, then by severity; callers sort by time first, newest first."""
    rank = SEVERITIES.index(row.severity) if row.severity in SEVERITIES else len(SEVERITIES)
    return (not row.page, rank, row.fingerprint)


class FleetTally:
    """The fleet in numbers, kept up to date row by row; hosts are not counted.

    >>> tally = FleetTally()
    >>> tally.move(StatusRow("GPU-a", "n", "2026-01-01T00:00:00Z", 1, band="good"), +1)
    >>> tally.gpus, tally.summary(open_alerts=0)["bands"]["good"]
    (1, 1)
    """

    def __init__(self) -> None:
        self.gpus = 0
        self._bands: Counter[str] = Counter()
        self._missing = 0
        self._simulated = 0

    def move(self, row: StatusRow, by: int) -> None:
        """Count a row that came (+1) or went (-1)."""
        if row.is_host:
            return
        self.gpus += by
        self._bands[row.band or "unscored"] += by
        self._missing += by * row.missing
        self._simulated += by * row.simulated

    def summary(self, open_alerts: int) -> dict[str, Any]:
        """Return GPUs, bands, missing, open alerts, whether any GPU is simulated."""
        return {
            "gpus": self.gpus,
            "bands": {band: self._bands[band] for band in _BANDS},
            "missing": self._missing,
            "open_alerts": open_alerts,
            "simulated": self._simulated > 0,
        }


class ResolvedAlerts:
    """Tells when to look for resolved alerts to forget: all are decoded then, so it is once for many that come."""

    EVERY: Final = 100

    def __init__(self) -> None:
        self._since = 0

    def look(self, row: AlertRow, *, held: int, keep: int) -> bool:
        """Take an alert that came to the ``held`` that are kept; tell whether to look for those beyond ``keep``."""
        self._since += row.status == "resolved"
        if self._since < self.EVERY or held <= keep:
            return False
        self._since = 0
        return True


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
