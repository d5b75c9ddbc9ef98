"""The answers of the look-ups, as JSON bytes, from the tables that every worker of role view holds whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
import orjson

from agents.view.rows import (
    AdviceRow,
    AlertRow,
    RowCache,
    StatusRow,
    fleet_summary,
    loudest_first,
    riskiest_first,
    worst_first,
)


class FleetTables(Protocol):
    """Latest records as JSON bytes, by gpu_id (alerts: by fingerprint)."""

    @property
    def status(self) -> Mapping[bytes, bytes]:
        """GpuStatus of each GPU and host."""

    @property
    def health(self) -> Mapping[bytes, bytes]:
        """HealthScore of each GPU."""

    @property
    def risk(self) -> Mapping[bytes, bytes]:
        """RiskScore of each GPU."""

    @property
    def advice(self) -> Mapping[bytes, bytes]:
        """Recommendation of each GPU."""

    @property
    def alerts(self) -> Mapping[bytes, bytes]:
        """AlertEvent of each fingerprint."""


class Lookups:
    """Answers from ``tables``; every method returns JSON, None where the GPU is unknown."""

    def __init__(self, tables: FleetTables) -> None:
        self._tables = tables
        self._status = RowCache(StatusRow)
        self._alerts = RowCache(AlertRow)
        self._advice = RowCache(AdviceRow)

    def status_rows(self) -> list[StatusRow]:
        """Return the row of every GPU and host."""
        return [row for row, _ in self._status.rows(self._tables.status)]

    def alert_rows(self) -> list[AlertRow]:
        """Return the row of every alert, resolved ones too."""
        return [row for row, _ in self._alerts.rows(self._tables.alerts)]

    def gpus(self, *, hosts: bool = False, worst: bool = False, limit: int | None = None) -> bytes:
        """Return the latest status of each GPU; ``count`` counts them all, ``limit`` cuts the list."""
        found = self._status.rows(self._tables.status)
        open_alerts = sum(row.status == "firing" for row in self.alert_rows())
        summary = fleet_summary((row for row, _ in found), open_alerts)
        shown = [entry for entry in found if hosts or not entry[0].is_host]
        shown.sort(key=lambda entry: worst_first(entry[0]) if worst else (False, False, 0.0, entry[0].gpu_id))
        return _listing("gpus", [value for _, value in shown], limit, {"summary": summary})

    def gpu(self, gpu_id: str) -> bytes | None:
        """Return the latest status of one GPU or host."""
        return self._tables.status.get(gpu_id.encode())

    def explain(self, gpu_id: str) -> bytes | None:
        """Return the latest health score, risk score and advice of one GPU with all that they rest on."""
        key = gpu_id.encode()
        if key not in self._tables.status:
            return None
        parts = {
            "health": self._tables.health.get(key),
            "risk": self._tables.risk.get(key),
            "recommendation": self._tables.advice.get(key),
        }
        return orjson.dumps(
            {"gpu_id": gpu_id, **{name: orjson.Fragment(part or b"null") for name, part in parts.items()}}
        )

    def alerts(self, status: str) -> bytes:
        """Return the alerts of ``status`` (``firing``, ``resolved`` or ``all``), loudest first, then newest."""
        found = self._alerts.rows(self._tables.alerts)
        shown = [entry for entry in found if status in ("all", entry[0].status)]
        shown.sort(key=lambda entry: entry[0].starts_at, reverse=True)
        shown.sort(key=lambda entry: loudest_first(entry[0])[:2])
        return _listing("alerts", [value for _, value in shown], None, {})

    def risk_top(self, limit: int) -> bytes:
        """Return the GPUs most likely to fail within 30 days."""
        rows = sorted((row for row in self.status_rows() if not row.is_host), key=riskiest_first)
        return _listing("gpus", [orjson.dumps(_risk_fields(row)) for row in rows[:limit]], None, {})

    def recommendations(self, action: str | None) -> bytes:
        """Return the latest advice on each GPU, the largest margin first; ``action`` filters."""
        found = self._advice.rows(self._tables.advice)
        shown = [entry for entry in found if action is None or entry[0].action == action]
        shown.sort(key=lambda entry: (-entry[0].margin_usd, entry[0].gpu_id))
        return _listing("recommendations", [value for _, value in shown], None, {})


def _risk_fields(row: StatusRow) -> dict[str, Any]:
    names = ("gpu_id", "host_id", "model", "risk_score", "risk_level", "failure_probability_7d")
    more = ("failure_probability_30d", "overall_score", "action", "last_seen")
    return {name: getattr(row, name) for name in (*names, *more)}


def _listing(name: str, values: list[bytes], limit: int | None, extra: Mapping[str, Any]) -> bytes:
    shown = values if limit is None else values[:limit]
    head = msgspec.json.encode({"count": len(values), **extra})
    return b"".join((head[:-1], b',"', name.encode(), b'":[', b",".join(shown), b"]}"))


def join_windows(gpu_id: str, windows: Iterable[dict[str, Any]]) -> bytes:
    """Return the answer of ``/gpus/{gpu_id}/windows/``."""
    shown = list(windows)
    return orjson.dumps({"gpu_id": gpu_id, "count": len(shown), "windows": shown})
