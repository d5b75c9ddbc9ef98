"""The RiskScore record: built only when it is emitted."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final

from models.gpu import published
from models.gpu.slots import DBE, SBE
from models.gpu.state import GpuState
from models.risk.features import FEATURES
from models.risk.online import RiskModel
from models.risk.serving import Risk
from schemas.ids import digest
from schemas.risk_score import Contribution, RiskScore
from schemas.times import format_time

EMIT_SECONDS: Final = 6 * 3600.0
# The features that carry the four parts of the rule score, in their order.
PARTS: Final = ("ecc_correctable_7d", "ecc_uncorrectable_30d", "throttle_events_7d", "thermal_excess_ratio")
LEAST_LOG_ODDS: Final = 1e-6


def due(risk: Risk, last: published.Risk | None, time: float) -> bool:
    """Tell whether a RiskScore is to be published: the first, a change of level, or 6 h of event time.

    Parameters
    ----------
    last
        What :func:`to_published` kept.
    time
        Event time of the sample (epoch s).
    """
    return last is None or last.level != risk.level or time - last.at >= EMIT_SECONDS


def to_published(risk: Risk, time: float) -> published.Risk:
    """Return what to keep in ``state.published.risk`` when the risk is published at ``time`` (epoch s)."""
    return published.Risk(level=risk.level, at=time)


def feature_values(state: GpuState, risk: Risk) -> dict[str, float | None]:
    """Return every feature's value in its own unit, None where it is not measured."""
    values = [value if isfinite(value) else None for value in (*risk.fast, *risk.slow)]
    found = {feature.name: value for feature, value in zip(FEATURES, values, strict=True)}
    seen = state.counters.seen
    if not seen(SBE):
        found["ecc_correctable_7d"] = found["ecc_correctable_30d"] = None
    if not seen(DBE):
        found["ecc_uncorrectable_30d"] = None
    if found["throttle_ratio_7d"] is None:
        found["throttle_events_7d"] = found["throttle_events_30d"] = None
    if found["temp_max_7d"] is None:
        found["thermal_excess_ratio"] = None
    return found


def risk_score(state: GpuState, risk: Risk, model: RiskModel) -> RiskScore:
    """Return the record of ``risk`` as it stands after the GPU's last sample."""
    values = feature_values(state, risk)
    return RiskScore(
        event_id=digest("risk", state.gpu_id, state.time, risk.level, model.version),
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        calculated_at=format_time(state.time),
        risk_score=risk.risk_score,
        risk_level=risk.level,
        failure_probability_7d=risk.probability_7d,
        failure_probability_30d=risk.probability_30d,
        contributions=_contributions(values, risk, model),
        model_version=model.version,
        features=values,
    )


def _contributions(values: Mapping[str, float | None], risk: Risk, model: RiskModel) -> list[Contribution]:
    """Return what adds points or log-odds, the largest first; a floor is a contribution of its own."""
    points = dict(zip(PARTS, risk.points, strict=True))
    found = [
        Contribution(feature=name, value=values[name], points=round(points.get(name, 0.0), 3), log_odds=weight * x)
        for name, weight, x in zip(model.features, model.weights, risk.x, strict=True)
        if points.get(name) or abs(weight * x) >= LEAST_LOG_ODDS
    ]
    lifted = risk.risk_score - sum(risk.points)
    if risk.evidence_floor and lifted > 0.5:
        name = "replace_class_floor" if risk.replace_class else "uncorrected_error_floor"
        found.append(Contribution(feature=name, value=float(risk.risk_score), points=round(lifted, 3)))
    return sorted(found, key=lambda item: (-item.points, -abs(item.log_odds), item.feature))
