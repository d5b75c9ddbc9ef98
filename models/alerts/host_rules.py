"""The rules of a host's own messages: its collector is alive, and says what it sees."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.lifecycle import hold
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.sample import Sample

EXPORTER_UP: Final = "exporter_up"


def host_rules(state: GpuState, sample: Sample, rules: Rules, events: list[AlertEvent]) -> None:
    """Move ``exporter_down``: the heartbeat comes, the scrape fails. A telemetry gap, no page."""
    rule = "exporter_down"
    up = sample.host_facts.get(EXPORTER_UP) if sample.host_facts is not None else None
    down = up == 0.0
    known = rule in state.alerts
    if not down and not known:
        return
    draft = None
    if not known:
        draft = AlertState(
            rule,
            rule,
            "pipeline",
            state.time,
            severity="warning",
            page=False,
            summary=f"The exporter of {state.host_id} does not answer; the host does",
            action=ACTIONS[rule],
            value=0.0,
            limit=1.0,
            unit="up",
        )
    hold(
        state,
        rule,
        state.time,
        active=down,
        clear=up is not None and not down,
        hold_seconds=rules.exporter_down_hold_seconds,
        clear_seconds=rules.exporter_down_clear_seconds,
        draft=draft,
        events=events,
    )
