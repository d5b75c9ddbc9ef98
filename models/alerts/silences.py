"""What people decided about alerts: silences, maintenance windows, acknowledgements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from schemas.alert import AlertEvent
from schemas.operator_action import OperatorAction
from schemas.times import parse_time

_MATCHED: Final = frozenset(("gpu_id", "host_id", "rule", "incident_id"))
# An acknowledgement is about what was open when it was given: nothing is open for longer than this.
ACKNOWLEDGED_SECONDS: Final = 30 * 86_400.0


def matches(target: Mapping[str, str], event: AlertEvent) -> bool:
    """Tell whether all that ``target`` names is exactly so in ``event``.

    A target that names nothing, or something unknown, matches nothing: a slip of the pen must not silence
    the fleet.
    """
    if not target or not _MATCHED.issuperset(target):
        return False
    return all(getattr(event, name) == wanted for name, wanted in target.items())


def ends(action: OperatorAction) -> float:
    """Return when ``action`` has no effect any more (epoch s); inf: never."""
    if action.kind == "acknowledgement":
        return parse_time(action.at) + ACKNOWLEDGED_SECONDS
    return parse_time(action.ends_at) if action.ends_at is not None else inf


def in_effect(actions: Iterable[OperatorAction], event: AlertEvent, clock: float) -> OperatorAction | None:
    """Return the action that keeps ``event`` from people at ``clock`` (epoch s), the one that ends last.

    An acknowledgement covers what was published before it: an alert that is raised after it is news.
    """
    found: OperatorAction | None = None
    for action in actions:
        if not matches(action.target, event):
            continue
        if action.kind == "acknowledgement":
            applies = parse_time(event.updated_at) <= parse_time(action.at)
        else:
            applies = parse_time(action.starts_at or action.at) <= clock < ends(action)
        if applies and (found is None or ends(action) > ends(found)):
            found = action
    return found
