"""One fault, one voice: incidents of one GPU that begin together are told by the gravest of them.

A double-bit error, the loss of the GPU and its score's fall are three incidents of three causes, and one thing to
do. The others are on record as ``joined_fault``; they speak for themselves once the one that spoke is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Final

from agents.notify.incidents import Gravity, Incident
from models.alerts.grouping import SILENCES
from models.alerts.pipeline import OF_NOTIFY
from models.alerts.transitions import TREND
from schemas.alert import AlertEvent
from schemas.times import parse_time

TOGETHER_SECONDS: Final = 5.0
_AT_ONCE: Final = SILENCES | OF_NOTIFY


class Faults:
    """Which incidents are of the same GPU, or of the same part of a host."""

    def __init__(self, incidents: Mapping[str, Incident]) -> None:
        self._incidents = incidents
        self._of_subject: dict[str, dict[str, None]] = {}

    def note(self, event: AlertEvent) -> None:
        """Note the incident of a firing alert."""
        self._of_subject.setdefault(_subject(event), {})[event.incident_id] = None

    def over(self, event: AlertEvent) -> Iterable[str]:
        """Forget the incident of a resolved alert; return those of the same subject, which may speak now."""
        subject = _subject(event)
        ids = self._of_subject.get(subject, {})
        ids.pop(event.incident_id, None)
        if not ids:
            self._of_subject.pop(subject, None)
        return ids

    def voice(self, incident: Incident, event: AlertEvent) -> Gravity | None:
        """Return how grave what people know of the same fault is; None: they know nothing of it.

        A trend (score, risk) says nothing that an open fault of the GPU has not said better.
        """
        told = [
            other.told_gravity
            for other in self._others(incident, event)
            if other.told and (_is_trend(event) or _together(incident, other))
        ]
        return max(told, default=None)

    def held_until(self, incident: Incident, event: AlertEvent) -> float:
        """Return until when (epoch s) the rest of the fault of ``event`` is awaited; silence has its own hold."""
        if event.rule in _AT_ONCE:
            return -inf
        group = (incident, *(other for other in self._others(incident, event) if _together(incident, other)))
        members = [member for one in group if not one.told for member in one.members.values()]
        return min(min(parse_time(one.event.updated_at), one.noted_at) for one in members) + TOGETHER_SECONDS

    def _others(self, incident: Incident, event: AlertEvent) -> Iterator[Incident]:
        for incident_id in self._of_subject.get(_subject(event), ()):
            other = self._incidents.get(incident_id)
            if other is None or other is incident or not other.members:
                continue
            if not all(_is_trend(member.event) for member in other.members.values()):
                yield other


def _subject(event: AlertEvent) -> str:
    if event.rule in OF_NOTIFY:
        return event.incident_id  # they have their own way of taking others in
    return event.gpu_id or f"{event.host_id} {event.pci_bus_id}"


def _is_trend(event: AlertEvent) -> bool:
    return event.cause_class == TREND


def _began(incident: Incident) -> float:
    return min(parse_time(member.event.starts_at) for member in incident.members.values())


def _together(one: Incident, other: Incident) -> bool:
    return abs(_began(one) - _began(other)) <= TOGETHER_SECONDS
