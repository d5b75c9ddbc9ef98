"""The answers of the look-ups, as JSON bytes, from the tables that every worker of role view holds whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from secrets import token_hex
from typing import Any, Protocol

import msgspec
import orjson

from agents.view.listing import Listing
from agents.view.rows import (
    AdviceRow,
    AlertRow,
    FleetTally,
    StatusRow,
    by_id,
    largest_margin_first,
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
        self._name = token_hex(4)  # numbers of changes are this process's own
        self._tally = FleetTally()
        self._open_alerts = 0
        orders = {"id": by_id, "worst": worst_first, "riskiest": riskiest_first}
        self._status = Listing(StatusRow, orders, self._tally.move)
        self._alerts = Listing(AlertRow, {"started": lambda row: (row.starts_at,)}, self._count_alert)
        self._advice = Listing(AdviceRow, {"margin": largest_margin_first})

    def _count_alert(self, row: AlertRow, by: int) -> None:
        self._open_alerts += by * (row.status == "firing")

    def status_rows(self) -> list[StatusRow]:
        """Return the row of every GPU and host."""
        self._status.refresh(self._tables.status)
        return list(self._status.rows())

    def gpus(self, *, hosts: bool = False, worst: bool = False, limit: int | None = None) -> bytes:
        """Return the latest status of each GPU; ``count`` counts them all, ``limit`` cuts the list."""
        self._status.refresh(self._tables.status)
        self._alerts.refresh(self._tables.alerts)
        entries = self._status.entries("worst" if worst else "id")
        shown = (value for row, value in entries if hosts or not row.is_host)
        count = len(self._status) if hosts else self._tally.gpus
        summary = self._tally.summary(self._open_alerts)
        return _listing("gpus", list(islice(shown, limit)), count, {"summary": summary})

    def changed_gpus(self, since: str, limit: int | None) -> bytes:
        """Return the ids of the worst GPUs in ``order``, and of these the statuses that changed after ``since``.

        ``since`` is the ``cursor`` of an earlier answer of this worker; after another's all are new.
        """
        self._status.refresh(self._tables.status)
        self._alerts.refresh(self._tables.alerts)
        name, _, number = since.rpartition(".")
        after = int(number) if name == self._name and number.isdecimal() else -1
        shown = [entry for entry in self._status.entries("worst") if not entry[0].is_host][:limit]
        order = [row.gpu_id for row, _ in shown]
        changed = [value for row, value in shown if self._status.changed_since(row.gpu_id.encode(), after)]
        extra = {
            "cursor": f"{self._name}.{self._status.change}",
            "order": order,
            "summary": self._tally.summary(self._open_alerts),
        }
        return _listing("gpus", changed, self._tally.gpus, extra)

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
        self._alerts.refresh(self._tables.alerts)
        shown = [entry for entry in self._alerts.entries("started") if status in ("all", entry[0].status)]
        shown.reverse()
        shown.sort(key=lambda entry: loudest_first(entry[0])[:2])
        return _listing("alerts", [value for _, value in shown], len(shown), {})

    def risk_top(self, limit: int) -> bytes:
        """Return the GPUs most likely to fail within 30 days."""
        self._status.refresh(self._tables.status)
        rows = (row for row, _ in self._status.entries("riskiest") if not row.is_host)
        shown = [orjson.dumps(_risk_fields(row)) for row in islice(rows, limit)]
        return _listing("gpus", shown, len(shown), {})

    def recommendations(self, action: str | None) -> bytes:
        """Return the latest advice on each GPU, the largest margin first; ``action`` filters."""
        self._advice.refresh(self._tables.advice)
        shown = [value for row, value in self._advice.entries("margin") if action is None or row.action == action]
        return _listing("recommendations", shown, len(shown), {})


def _risk_fields(row: StatusRow) -> dict[str, Any]:
    names = ("gpu_id", "host_id", "model", "risk_score", "risk_level", "failure_probability_7d")
    more = ("failure_probability_30d", "overall_score", "action", "last_seen")
    return {name: getattr(row, name) for name in (*names, *more)}


def _listing(name: str, values: list[bytes], count: int, extra: Mapping[str, Any]) -> bytes:
    head = msgspec.json.encode({"count": count, **extra})
    return b"".join((head[:-1], b',"', name.encode(), b'":[', b",".join(values), b"]}"))


def join_windows(gpu_id: str, windows: Iterable[dict[str, Any]]) -> bytes:
    """Return the answer of ``/gpus/{gpu_id}/windows/``."""
    shown = list(windows)
    return orjson.dumps({"gpu_id": gpu_id, "count": len(shown), "windows": shown})
