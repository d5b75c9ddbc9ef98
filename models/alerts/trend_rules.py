"""Scores and risk: trends over days, held so that one sample decides nothing."""

from __future__ import annotations

from typing import Final

from models.alerts.operator_actions import Action
from models.alerts.rule_spec import CLEAR, IDLE, Look, Reading, Reads, Risked, RuleSpec
from models.alerts.rules_settings import Rules


def _below(setting: str) -> Reads:
    def reads(look: Look) -> Reading:
        if look.scores is None:
            return IDLE
        score, limit = look.scores.overall, float(getattr(look.rules, setting))
        if score < limit:
            return Reading(True, False, score, limit)
        return CLEAR if score >= limit + look.rules.score_clear_distance_points else IDLE

    return reads


def is_high(risk: Risked, rules: Rules) -> bool:
    """Tell whether hard evidence, or a probability far above the fleet's, calls for attention."""
    return risk.evidence_floor or risk.probability_30d >= rules.risk_high_times_fleet * risk.fleet_probability_30d


def _risk(look: Look) -> Reading:
    risk, rules = look.risk, look.rules
    if risk is None:
        return IDLE
    if not is_high(risk, rules):
        low = risk.probability_30d < rules.risk_clear_times_fleet * risk.fleet_probability_30d
        return CLEAR if low else IDLE
    return Reading(
        True,
        False,
        risk.probability_30d,
        rules.risk_high_times_fleet * risk.fleet_probability_30d,
        "hard evidence" if risk.evidence_floor else f"{rules.risk_high_times_fleet:g} times the fleet's",
    )


SPECS: Final = (
    RuleSpec(
        name="score_degraded",
        cause="trend",
        severity="warning",
        page=False,
        action=Action("watch", "See the penalties of the health score"),
        summary="Overall health {value:.0f}, below {limit:g}",
        unit="points",
        worse="lower",
        fires="overall below {score_degraded_points:g}",
        clears="{score_clear_distance_points:g} points above",
        hold="score_hold_seconds",
        clear="score_clear_seconds",
        reads=_below("score_degraded_points"),
    ),
    RuleSpec(
        name="score_poor",
        cause="trend",
        severity="error",
        page=False,
        action=Action("drain", "See the penalties of the health score; plan to take the GPU out of service"),
        summary="Overall health {value:.0f}, below {limit:g}",
        unit="points",
        worse="lower",
        fires="overall below {score_poor_points:g}",
        clears="{score_clear_distance_points:g} points above",
        hold="score_hold_seconds",
        clear="score_clear_seconds",
        reads=_below("score_poor_points"),
    ),
    RuleSpec(
        name="risk_high",
        cause="trend",
        severity="warning",
        page=False,
        action=Action("watch", "See the contributions of the risk; move long jobs elsewhere"),
        summary="Failure within 30 days: {value:.1%} ({what})",
        unit="probability",
        fires="an evidence floor, or a 30-day probability of {risk_high_times_fleet:g} times the fleet's",
        clears="no floor, and below {risk_clear_times_fleet:g} times",
        hold="risk_hold_seconds",
        clear="risk_clear_seconds",
        reads=_risk,
    ),
)
