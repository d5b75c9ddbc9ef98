"""Alerts, statuses and a logic to decide on them, for the tests of role notify."""

from __future__ import annotations

import msgspec

from agents.notify.decisions import NotifyLogic
from agents.notify.faults import TOGETHER_SECONDS
from agents.notify.publisher import Decided, Receiver
from agents.ports import Output
from models.alerts.specs import BY_NAME
from schemas.alert import AlertEvent
from schemas.ids import digest
from schemas.notification import Notification
from schemas.operator_action import OperatorAction
from schemas.status import GpuStatus, OpenAlert
from schemas.times import format_time, parse_time
from schemas.topics import ALERTS

T0 = parse_time("2026-02-09T12:00:00Z")
PAGER = Receiver("pager", "error")
DESK = Receiver("desk", "info")


def alert(
    rule: str = "ecc_uncorrected", *, gpu: str | None = "GPU-1", at: float = -TOGETHER_SECONDS, **fields: object
) -> AlertEvent:
    """Return a firing alert that pages, said ``at`` seconds after T0, but for ``fields``.

    By default its fault is awaited no longer at T0.
    """
    cause = (rule in BY_NAME and BY_NAME[rule].cause) or "memory"
    starts_at = format_time(T0 + at)
    scope, id = ("gpu", gpu) if gpu else ("host", "node-1")
    values: dict[str, object] = {
        **dict.fromkeys(
            ("model", "serial", "pci_bus_id", "slot", "rack_id", "workload", "ends_at", "value", "limit")
        ),
        "incident_id": digest(scope, id, cause, "incident"),
        "fingerprint": digest(scope, id, rule),
        "dedup_key": digest(scope, id, cause),
        "status": "firing",
        "rule": rule,
        "cause_class": cause,
        "severity": "critical",
        "page": True,
        "history": False,
        "reason": "first_firing",
        "scope": scope,
        "gpu_id": gpu,
        "host_id": "node-1",
        "members": [gpu] if gpu else [],
        "suppressed_by": None,
        "starts_at": starts_at,
        "updated_at": starts_at,
        "unit": "",
        "summary": f"{rule} of {id}",
        "action_code": "watch",
        "action_text": "look",
        "evidence": [],
        "runbook": f"docs/runbooks.md#{rule}",
    }
    values |= fields
    event_id = digest(values["fingerprint"], values["status"], values["updated_at"], values["severity"])
    return msgspec.convert({"event_id": event_id, **values}, AlertEvent)


def resolved(event: AlertEvent, at: float) -> AlertEvent:
    """Return the end of ``event``, ``at`` seconds after T0."""
    when = format_time(T0 + at)
    return msgspec.structs.replace(
        event, event_id=event.event_id + "r", status="resolved", reason="cleared", updated_at=when, ends_at=when
    )


def status(gpu: str = "GPU-1", *, at: float = 0.0, host: str = "node-1", **fields: object) -> GpuStatus:
    """Return a GpuStatus appended ``at`` seconds after T0, but for ``fields``."""
    time = format_time(T0 + at)
    values: dict[str, object] = dict.fromkeys(GpuStatus.__struct_fields__)
    values |= {
        "simulated": False,
        "partial": False,
        "clock_ahead_seconds": 0.0,
        "missing": False,
        "schema_version": 1,
        "alerts": [],
        "values": {},
    }
    values |= {"risk_score": 0, "risk_level": "low", "failure_probability_7d": 0.0, "failure_probability_30d": 0.0}
    values |= {"samples": 1, "late_samples": 0, "interval_seconds": 10.0}
    values |= {"gpu_id": gpu, "host_id": host, "last_seen": time, "appended_at": time}
    return msgspec.convert({**values, **fields}, GpuStatus)


def heartbeat(at: float, *, up: bool = True, host: str = "node-1") -> GpuStatus:
    """Return the status of a host."""
    return status(f"host:{host}", at=at, host=host, values={"exporter_up": 1.0 if up else 0.0})


def showing(event: AlertEvent, at: float) -> GpuStatus:
    """Return a status of the GPU of ``event`` in which that alert is open."""
    one = OpenAlert(
        rule=event.rule,
        severity=event.severity,
        page=event.page,
        starts_at=event.starts_at,
        incident_id=event.incident_id,
        summary=event.summary,
    )
    return status(event.gpu_id or "", at=at, alerts=[one])


def action(kind: str, target: dict[str, str], *, at: float = 0.0, until: float | None = None) -> OperatorAction:
    """Return what a person said ``at`` seconds after T0."""
    values = {
        "action_id": f"{kind}-{at}",
        "kind": kind,
        "at": format_time(T0 + at),
        "author": "ann",
        "target": target,
    }
    if until is not None:
        values["ends_at"] = format_time(T0 + until)
    return msgspec.convert(values, OperatorAction)


class Desk:
    """A logic with a pager (pages, tickets from error on) and a desk (all tickets), driven by timestamps."""

    def __init__(self, *, fresh: bool = False) -> None:
        self.states: dict[bytes, bytes] = {}
        self.all: list[Notification] = []
        self.hosts: list[AlertEvent] = []
        self.outputs: list[Output] = []
        self.delivered: list[tuple[str, str, str]] = []
        self.logic = NotifyLogic([PAGER, DESK])
        self.logic.restored(fresh=fresh)

    def say(self, *records: AlertEvent | GpuStatus | OperatorAction, at: float) -> list[Notification]:
        """Give ``records`` and decide at ``at`` seconds after T0; return what was decided."""
        for record in records:
            if isinstance(record, AlertEvent):
                self.logic.alert(record)
            elif isinstance(record, GpuStatus):
                self.logic.status(record)
            else:
                self.logic.action(record)
        self.logic.advance(T0 + at)
        return self.take(self.logic.drain())

    def take(self, decided: Decided) -> list[Notification]:
        """Keep what one checkpoint commits."""
        for key, value in decided.checkpoint.states:
            if value is None:
                self.states.pop(key, None)
            else:
                self.states[key] = value
        self.outputs += decided.checkpoint.outputs
        self.hosts += [
            msgspec.json.decode(output.value or b"", type=AlertEvent)
            for output in decided.checkpoint.outputs
            if output.topic == ALERTS
        ]
        for delivery in decided.deliveries:
            for receiver in delivery.notification.receivers:
                self.delivered.append((receiver, delivery.notification.status, delivery.notification.reason))
        self.all += decided.notifications
        return decided.notifications

    def restart(self) -> None:
        """Go on with a new logic from what was committed."""
        self.logic = NotifyLogic([PAGER, DESK])
        for key, value in self.states.items():
            self.logic.restore(key, value)
        self.logic.restored(fresh=False)


def reasons(notifications: list[Notification]) -> list[str]:
    """Return the reason of each."""
    return [notification.reason for notification in notifications]


def pages(notifications: list[Notification]) -> list[tuple[str, str]]:
    """Return (scope, rule) of those that page and fire."""
    return [(one.scope, one.rule) for one in notifications if one.page and one.status == "firing"]
