"""KEEP, SELL or DECOMMISSION: the action of the highest expected value, with hysteresis, and its record."""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

from models.economics.prices import Prices, is_slice
from models.economics.situation import Found, replacement_due, situation
from models.economics.value import HIGHEST_PROBABILITY, Situation, Values, value
from models.gpu import published
from models.gpu.measured import measured
from models.gpu.state import GpuState
from schemas.health_score import whole
from schemas.ids import digest
from schemas.recommendation import Action, Recommendation
from schemas.risk_score import RiskLevel
from schemas.side_input import Asset
from schemas.times import format_time

POLICY: Final = "expected_value"
REVIEW_SECONDS: Final = 24 * 3600.0
# A probability that moved by half is a new situation even where the level stayed.
MOVED_RATIO: Final = 1.5
_CLOSE: Final = 1e-9
_MOST_STEPS: Final = 60
ACTIONS: Final[tuple[Action, ...]] = ("KEEP", "SELL", "DECOMMISSION")


class ScoresLike(Protocol):
    """What of the health scores the advice reads: NaN where there is no score."""

    overall: float


class RiskLike(Protocol):
    """What of the risk the advice reads."""

    @property
    def risk_score(self) -> int: ...
    @property
    def level(self) -> RiskLevel: ...
    @property
    def probability_30d(self) -> float: ...
    @property
    def fleet_probability_30d(self) -> float: ...


def advise(
    state: GpuState, scores: ScoresLike, risk: RiskLike, prices: Prices, asset: Asset | None
) -> Recommendation | None:
    """Return a Recommendation when the action changes (the first is a change), else None.

    Cheap on most samples: nothing is valued unless :func:`should_decide` says that something moved.
    A guest's slice of a GPU is nobody's to sell: it gets none.
    """
    if is_slice(state.labels.get("model", "")):
        return None
    last = state.published.advice
    due = replacement_due(state)
    if last is not None and not should_decide(last, scores, risk, prices, asset, state.time, due):
        return None
    previous = last.action if last else None
    found = situation(state, risk, prices, asset)
    action, _ = choose(found.situation, previous)
    state.published.advice = published.Advice(
        action=action,
        at=state.time,
        band=_decile(scores.overall),
        level=risk.level,
        replace_class=due,
        probability=risk.probability_30d,
        prices=prices.version,
        warranty=asset.warranty_expiry if asset else None,
    )
    state.evidence_dirty = True
    return decide(state, found, scores, risk, prices, previous) if action != previous else None


def should_decide(
    last: published.Advice,
    scores: ScoresLike,
    risk: RiskLike,
    prices: Prices,
    asset: Asset | None,
    time: float,
    replacement: bool,
) -> bool:
    """Tell whether anything that the advice depends on has moved, or a day of event time has passed."""
    before, now = last.probability, risk.probability_30d
    return (
        last.level != risk.level
        or last.replace_class != replacement
        or now > before * MOVED_RATIO
        or before > now * MOVED_RATIO
        or time - last.at >= REVIEW_SECONDS
        or last.prices != prices.version
        or last.band != _decile(scores.overall)
        or last.warranty != (asset.warranty_expiry if asset else None)
    )


def choose(of: Situation, previous: Action | None) -> tuple[Action, Values]:
    """Return the action of the highest expected value; another one only where it is better by the margin.

    A GPU of the replace class leaves KEEP without the margin: it must not stay for being nearly as good.
    """
    values = value(of)
    worth = expected(values)
    best = max(ACTIONS, key=worth.__getitem__)
    if previous is not None and previous != best and not of.drained:
        margin = of.assumptions.switch_margin_ratio * of.price.used_price_usd
        if worth[best] - worth[previous] < margin:
            return previous, values
    return best, values


def expected(values: Values) -> dict[Action, float]:
    """Return the expected value of each action (USD)."""
    return {"KEEP": values.keep, "SELL": values.sell, "DECOMMISSION": values.decommission}


def break_even_probability(of: Situation) -> float | None:
    """Return the 30-day probability at which keeping is no longer the best; None where it always is.

    0 where keeping is not the best even for a GPU that never fails.
    """

    def surplus(probability: float) -> float:
        values = value(msgspec.structs.replace(of, probability_30d=probability))
        return values.keep - max(values.sell, values.decommission)

    low, high = 0.0, HIGHEST_PROBABILITY
    above, below = surplus(low), surplus(high)
    if above < 0.0:
        return 0.0
    if below >= 0.0:
        return None
    # False position, Illinois: an end that stays twice counts half, so that both ends come close.
    stayed = 0
    for _ in range(_MOST_STEPS):
        if high - low < _CLOSE:
            break
        middle = (low * below - high * above) / (below - above)
        if not low < middle < high:
            middle = (low + high) / 2.0
        found = surplus(middle)
        if found >= 0.0:
            low, above = middle, found
            below *= 0.5 if stayed > 0 else 1.0
            stayed = 1
        else:
            high, below = middle, found
            above *= 0.5 if stayed < 0 else 1.0
            stayed = -1
    return high


def guide_action(health_score: int | None, new_price_usd: float, monthly_profit_usd: float) -> Action:
    """Return what the original rule would say, for comparison; never published as advice.

    Its residual value is the new price x (0.5 + 0.7 x health / 100), up to 120 % of a new card, and it sets
    a year's profit against it although a kept card can be sold too: so it says SELL for every healthy GPU.
    A missing score counts as 100 there.

    >>> guide_action(100, 38_000.0, 24_858.0 / 12), guide_action(0, 38_000.0, 0.0)
    ('SELL', 'DECOMMISSION')
    """
    health = 100 if health_score is None else health_score
    if health <= 0:
        return "DECOMMISSION"
    residual = new_price_usd * (0.5 + 0.7 * health / 100.0)
    return "KEEP" if 12.0 * monthly_profit_usd > residual else "SELL"


def decide(
    state: GpuState, found: Found, scores: ScoresLike, risk: RiskLike, prices: Prices, previous: Action | None
) -> Recommendation:
    """Return the whole record: costly beside a step, so only for an action that is published."""
    of = found.situation
    action, values = choose(of, previous)
    worth = expected(values)
    others = max(worth[other] for other in ACTIONS if other != action)
    overall = scores.overall
    health = whole(overall)
    known = found.model_known

    def money(usd: float) -> float | None:
        return round(usd, 2) if known else None  # the default class's price is nobody's

    claim = of.drained and of.warranty_months > 0.0 and action == "DECOMMISSION"
    return Recommendation(
        event_id=digest("advice", state.gpu_id, state.time, action, prices.version),
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        model=found.model,
        decided_at=format_time(state.time),
        policy=POLICY,
        action=action,
        expected_value_usd={name: round(usd, 2) for name, usd in worth.items()} if known else None,
        margin_usd=money(worth[action] - others),
        break_even_probability=break_even_probability(of) if known else None,
        previous_action=previous,
        reasons=_reasons(found, action, values, claim),
        assumptions_version=prices.version,
        health_score=health,
        risk_score=risk.risk_score,
        failure_probability_30d=risk.probability_30d,
        residual_value_usd=money(values.residual),
        monthly_revenue_usd=money(values.monthly_revenue),
        monthly_cost_usd=money(values.monthly_cost),
        monthly_profit_usd=money(values.monthly_profit),
        npv_keep_12m_usd=money(values.cash_flow),
        horizon_months=of.assumptions.horizon_months,
        confidence=_confidence(found, action),
        warranty_claim=claim,
        guide_action=guide_action(health, of.price.new_price_usd, values.monthly_profit),
    )


def _reasons(found: Found, action: Action, values: Values, claim: bool) -> list[str]:
    worth = expected(values)
    best = max(ACTIONS, key=worth.__getitem__)
    reasons = ["expected_value_highest" if best == action else f"held: {best} is not better by the margin"]
    if found.situation.drained:
        reasons.append("replace_class: it must not be given work, so keeping it earns nothing")
    elif values.monthly_profit < 0.0:
        reasons.append("running_at_a_loss: a month costs more than it earns")
    if claim:
        reasons.append("warranty_claim: failed within warranty, claim before disposal")
    return reasons + found.reasons


def _confidence(found: Found, action: Action) -> Literal["low", "medium", "high"]:
    """Low where the model is unknown or the answer turns within the price's uncertainty; high needs a good source."""
    if not found.model_known or not found.occupancy_measured:
        return "low"
    of = found.situation
    spread = of.assumptions.price_spread_ratio[of.price.strength]
    for factor in (1.0 - spread, 1.0 + spread):
        price = msgspec.structs.replace(of.price, used_price_usd=of.price.used_price_usd * factor)
        if choose(msgspec.structs.replace(of, price=price), None)[0] != action:
            return "low"
    return "medium" if of.price.strength == "weak" else "high"


def _decile(overall: float) -> int:
    return int(overall) // 10 if measured(overall) else -1
