"""The failure risk of one GPU."""

from __future__ import annotations

from typing import Literal

import msgspec

RiskLevel = Literal["low", "medium", "high", "critical"]


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one feature adds: ``points`` to the rule score, ``log_odds`` to the 30-day probability."""

    feature: str
    value: float | None
    points: float = 0.0
    log_odds: float = 0.0


class RiskScore(msgspec.Struct, frozen=True, kw_only=True):
    """Rule score 0 to 100 with its level, and the probability of failing within 7 and 30 days."""

    event_id: str
    gpu_id: str
    host_id: str
    calculated_at: str
    risk_score: int
    risk_level: RiskLevel
    failure_probability_7d: float
    failure_probability_30d: float
    contributions: list[Contribution]
    model_version: int
    features: dict[str, float | None]
    schema_version: int = 1
