"""Who is notified, and what leaves role notify at a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from agents.notify.incidents import Incident, Why
from agents.ports import Checkpoint, Output
from models.alerts.alert_state import SEVERITY_RANK
from schemas.alert import AlertEvent, Severity
from schemas.ids import digest
from schemas.notification import Notification
from schemas.times import format_time, parse_time
from schemas.topics import NOTIFICATIONS

# An age below this is the ordinary way of an alert and says nothing to the reader.
_TOLD_AGE_SECONDS: Final = 120.0
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Receiver:
    """Someone who is notified: of every page, and of tickets from ``min_severity`` on."""

    name: str
    min_severity: Severity = "warning"

    def wants(self, event: AlertEvent) -> bool:
        """Tell whether ``event`` is for this receiver."""
        return event.page or SEVERITY_RANK[event.severity] >= SEVERITY_RANK[self.min_severity]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the receivers named in ``notification`` are to be sent, once it is committed."""

    notification: Notification
    alert: AlertEvent


@dataclass(slots=True)
class Decided:
    """What one checkpoint commits, and what is sent after it."""

    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    deliveries: list[Delivery] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)


class Publisher:
    """Turns decisions into records and deliveries, and notes in the incident what people know."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers
        self._decided = Decided()

    @property
    def waits(self) -> bool:
        """Whether something was published that is not drained."""
        return bool(self._decided.checkpoint.outputs)

    def drain(self) -> Decided:
        """Return and forget what was published."""
        decided, self._decided = self._decided, Decided()
        return decided

    def publish(self, output: Output) -> None:
        """Publish a record of another topic with the decisions."""
        self._decided.checkpoint.outputs.append(output)

    def notify(self, incident: Incident, event: AlertEvent, why: Why, clock: float) -> None:
        """Notify everyone whom ``event`` concerns."""
        receivers = [receiver.name for receiver in self._receivers if receiver.wants(event)]
        incident.receivers = sorted({*incident.receivers, *receivers})
        incident.told_rank = max(incident.told_rank, SEVERITY_RANK[event.severity])
        incident.told_page = incident.told_page or event.page
        incident.told_action = event.action_code
        incident.told_at = clock
        self._record(incident, event, why, clock, page=event.page, receivers=receivers)

    def withhold(self, incident: Incident, event: AlertEvent, why: Why, clock: float) -> None:
        """Record that nobody is notified."""
        self._record(incident, event, why, clock, page=False, receivers=[])

    def resolve(self, incident: Incident, event: AlertEvent, why: Why, clock: float) -> None:
        """Notify those who know of the incident that it is over."""
        configured = {receiver.name for receiver in self._receivers}
        receivers = [name for name in incident.receivers if name in configured]
        self._record(incident, event, why, clock, page=incident.told_page, receivers=receivers)

    def _record(
        self, incident: Incident, event: AlertEvent, why: Why, clock: float, *, page: bool, receivers: list[str]
    ) -> None:
        incident.decisions += 1
        incident.last_reason = why
        notification = Notification(
            notification_id=digest("notification", incident.incident_id, event.event_id, why, incident.decisions),
            incident_id=incident.incident_id,
            scope=event.scope,
            members=list(event.members),
            status=event.status,
            page=page,
            reason=why,
            receivers=receivers,
            at=format_time(clock),
            rule=event.rule,
            severity=event.severity,
            summary=_summary(event, why, clock),
        )
        self.publish(Output(NOTIFICATIONS, incident.incident_id.encode(), _encode(notification)))
        self._decided.notifications.append(notification)
        if receivers:
            self._decided.deliveries.append(Delivery(notification, event))


def _summary(event: AlertEvent, why: Why, clock: float) -> str:
    age = clock - parse_time(event.updated_at)
    if event.status == "resolved" or age < _TOLD_AGE_SECONDS:
        return event.summary
    for_long = f"{age / 3600:.1f} h" if age >= 3600 else f"{age / 60:.0f} min"
    return f"{event.summary} ({'still firing, ' if why is Why.REPEAT_INTERVAL else ''}said {for_long} ago)"
