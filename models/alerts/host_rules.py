"""The rules of a host's own messages: its collector is alive, and reports what it sees."""

from __future__ import annotations

from typing import Final

from models.alerts.operator_actions import Action
from models.alerts.rule_spec import CLEAR, IDLE, Look, Reading, RuleSpec

EXPORTER_UP: Final = "exporter_up"


def _exporter_down(look: Look) -> Reading:
    """The heartbeat comes, the scrape fails: a telemetry gap."""
    facts = look.sample.host_facts
    up = facts.get(EXPORTER_UP) if facts is not None else None
    if up == 0.0:
        return Reading(True, False, 0.0, 1.0, look.state.host_id)
    return CLEAR if up is not None else IDLE


SPECS: Final = (
    RuleSpec(
        name="exporter_down",
        cause="pipeline",
        severity="warning",
        page=False,
        action=Action("check_telemetry", "Restart the exporter; the host itself is alive"),
        summary="The exporter of {what} does not answer; the host does",
        unit="up",
        worse="lower",
        fires="the heartbeat reports `exporter_up` 0",
        clears="up",
        hold="exporter_down_hold_seconds",
        clear="exporter_down_clear_seconds",
        reads=_exporter_down,
        scope="host",
    ),
)
