"""What to do with a GPU, with money on it."""

from __future__ import annotations

from typing import Literal

import msgspec

Action = Literal["KEEP", "SELL", "DECOMMISSION"]


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """Advice of one policy, all three values, and the guide's own figures beside it (USD).

    Of a GPU whose model has no price no figure in USD is told: they are None, and ``confidence`` is low.
    """

    event_id: str
    gpu_id: str
    host_id: str
    model: str | None
    decided_at: str
    policy: str
    action: Action
    expected_value_usd: dict[str, float] | None
    margin_usd: float | None
    break_even_probability: float | None
    previous_action: Action | None
    reasons: list[str]
    assumptions_version: int
    health_score: int | None
    risk_score: int
    failure_probability_30d: float
    residual_value_usd: float | None
    monthly_revenue_usd: float | None
    monthly_cost_usd: float | None
    monthly_profit_usd: float | None
    npv_keep_12m_usd: float | None
    horizon_months: int
    confidence: Literal["low", "medium", "high"]
    warranty_claim: bool
    guide_action: Action
    schema_version: int = 2
