"""A bench for the rules: one GPU or host fed with messages by time, and what was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

import orjson

from models.alerts.catalogue import load_catalogue
from models.alerts.lifecycle import due, next_deadline
from models.alerts.rules import evaluate
from models.alerts.rules_file import load_rules
from models.alerts.rules_settings import Rules
from models.alerts.transitions import GROWN
from models.alerts.xid import take_events
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.raw import decode
from schemas.sample import to_sample

START = 1_770_638_400.0
CATALOGUE = load_catalogue()
_PCI = "0000:9b:00"

HEALTHY: dict[str, float] = {
    "gpu_temp_celsius": 60.0,
    "memory_temp_celsius": 70.0,
    "power_usage_watts": 400.0,
    "gpu_util_ratio": 0.9,
    "clocks_event_reasons": 0.0,
    "ecc_sbe_volatile_total": 0.0,
    "ecc_dbe_volatile_total": 0.0,
    "row_remap_pending": 0.0,
    "row_remap_failed": 0.0,
    "sram_threshold_exceeded": 0.0,
    "page_retired_sbe_total": 0.0,
    "page_retired_dbe_total": 0.0,
    "bank_remap_avail_none": 0.0,
    "gpu_recovery_action": 0.0,
    "gpu_present": 1.0,
    "xid_last": 0.0,
}


@dataclass
class FixedScores:
    """Stands for the health scores."""

    overall: float = 95.0


@dataclass
class FixedRisk:
    """Stands for the risk."""

    evidence_floor: bool = False
    probability_30d: float = 0.01
    fleet_probability_30d: float = 0.01


@dataclass
class Bench:
    """One GPU (or host) and everything that its rules said; ``grown`` apart: what only tells a worse value."""

    gpu_id: str = "GPU-1"
    interval: float = 10.0
    rules: Rules = field(default_factory=load_rules)
    now: float = START - 10.0
    scores: FixedScores = field(default_factory=FixedScores)
    risk: FixedRisk = field(default_factory=FixedRisk)
    said: list[AlertEvent] = field(default_factory=list)
    grown: list[AlertEvent] = field(default_factory=list)
    values: dict[str, float | None] = field(default_factory=lambda: dict(HEALTHY))
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = GpuState(self.gpu_id, "node1", is_host=self.gpu_id.startswith("host:"))

    def send(
        self,
        time: float,
        metrics: dict[str, float | None] | None = None,
        events: list[dict[str, Any]] | None = None,
        *,
        append_time: float | None = None,
        labels: dict[str, str] | None = None,
    ) -> list[AlertEvent]:
        """Send one message; return what it made the rules say."""
        message = {
            "gpu_id": self.gpu_id,
            "host_id": "node1",
            "timestamp": time,
            "metrics": metrics or {},
            "events": events or [],
            "labels": labels or self.labels,
            "interval_seconds": self.interval,
        }
        sample = to_sample(decode(orjson.dumps(message)), time if append_time is None else append_time)
        state = self.state
        said = list(
            due(
                state,
                event_time=time if sample.has_metrics else -inf,
                clock=sample.append_time,
                rules=self.rules,
            )
        )
        taken = sample.has_metrics and not time <= state.time
        if taken:
            state.update(sample)
        occurrences = take_events(state, sample, CATALOGUE, taken=taken)
        judged = evaluate(state, sample, self.scores, self.risk, self.rules, occurrences, taken=taken)
        said += [event for event in judged if event.reason != GROWN]
        self.said += said
        self.grown += [event for event in judged if event.reason == GROWN]
        return said

    def tick(
        self, changes: dict[str, float | None] | None = None, events: list[dict[str, Any]] | None = None
    ) -> list[AlertEvent]:
        """Send the next regular sample; ``changes`` last."""
        self.now += self.interval
        self.values.update(changes or {})
        return self.send(self.now, dict(self.values), events)

    def run(self, seconds: float, changes: dict[str, float | None] | None = None) -> list[AlertEvent]:
        """Send regular samples for ``seconds``."""
        said: list[AlertEvent] = []
        for _ in range(round(seconds / self.interval)):
            said += self.tick(changes)
        return said

    def xid(self, code: int, line: str = "", *, at: float | None = None, pci: str = _PCI) -> list[AlertEvent]:
        """Send one XID by itself, as the kernel log tells it."""
        time = self.now + 1.0 if at is None else at
        return self.send(time, None, [xid_event(code, time, line, pci)])

    def clock(self, clock: float, silence_from: float = -inf) -> list[AlertEvent]:
        """Let the partition's clock pass."""
        said = list(due(self.state, event_time=-inf, clock=clock, rules=self.rules, silence_from=silence_from))
        self.said += said
        return said

    def next_deadline(self) -> float:
        """Return when the clock must look again."""
        return next_deadline(self.state, self.rules)


def xid_event(code: int, time: float, line: str = "", pci: str = _PCI) -> dict[str, Any]:
    """Return an XID as it lies in a message."""
    return {
        "type": "xid",
        "code": code,
        "timestamp": time,
        "line": line or f"NVRM: Xid (PCI:{pci}): {code}, at {time}",
        "pci_bus_id": pci,
    }


def told(events: list[AlertEvent]) -> list[tuple[str, str]]:
    """Return (rule, status) of each event."""
    return [(event.rule, event.status) for event in events]
