"""What to do with a GPU, with money on it."""

from __future__ import annotations

from typing import Literal

import msgspec

Action = Literal["KEEP", "SELL", "DECOMMISSION"]


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """Advice of one policy, all three values, and the guide's own figures beside it (USD)."""

    event_id: str
    gpu_id: str
    host_id: str
    model: str | None
    decided_at: str
    policy: str
    action: Action
    expected_value_usd: dict[str, float]
    margin_usd: float
    break_even_probability: float | None
    previous_action: Action | None
    reasons: list[str]
    assumptions_version: int
    health_score: int | None
    risk_score: int
    failure_probability_30d: float
    residual_value_usd: float
    monthly_revenue_usd: float
    monthly_cost_usd: float
    monthly_profit_usd: float
    npv_keep_12m_usd: float
    horizon_months: int
    confidence: Literal["low", "medium", "high"]
    warranty_claim: bool
    guide_action: Action
    schema_version: int = 1
