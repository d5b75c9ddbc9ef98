"""What a GPU is worth under each action: discounted cash flow under the failure hazard, USD of today.

The hazard starts at the GPU's own 30-day probability and returns to the fleet's with a half-life, because
the events that raised it fade; a failure outside warranty ends the cash flow, one inside it is replaced.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, log1p
from typing import Final, NamedTuple

import msgspec

from models.economics.prices import Assumptions, ModelPrice

HOURS_PER_MONTH: Final = 365.25 * 24.0 / 12.0
MONTH_SECONDS: Final = HOURS_PER_MONTH * 3600.0
DAYS_PER_MONTH: Final = 365.25 / 12.0
HIGHEST_PROBABILITY: Final = 1.0 - 1e-9


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a GPU and its market.

    Parameters
    ----------
    probability_30d, fleet_probability_30d
        Of a failure within 30 days: this GPU's, an average GPU's.
    occupied_ratio
        Share of the time with work on it (it earns), 0 to 1.
    power_watts
        Mean power.
    warranty_months
        Months of warranty left; 0: none or not known.
    drained
        The replace class: it must not be given work, cannot be sold as working, earns nothing.
    """

    price: ModelPrice
    assumptions: Assumptions
    probability_30d: float
    fleet_probability_30d: float
    occupied_ratio: float
    power_watts: float
    warranty_months: float
    drained: bool


class Values(NamedTuple):
    """Expected value of each action and the figures behind KEEP (USD)."""

    keep: float
    sell: float
    decommission: float
    cash_flow: float
    residual: float
    monthly_revenue: float
    monthly_cost: float

    @property
    def monthly_profit(self) -> float:
        """Revenue less cost of a month in service."""
        return self.monthly_revenue - self.monthly_cost


def value(of: Situation) -> Values:
    """Return the expected values of keeping, selling and decommissioning."""
    price, assumed = of.price, of.assumptions
    revenue = 0.0 if of.drained else price.rental_usd_per_hour * HOURS_PER_MONTH * of.occupied_ratio
    watts = 0.0 if of.drained else of.power_watts
    energy = watts / 1000.0 * HOURS_PER_MONTH * assumed.power_usage_effectiveness
    cost = energy * assumed.power_price_usd_per_kwh + assumed.hosting_usd_per_month
    residual = price.used_price_usd * (assumed.salvage_ratio if of.drained else 1.0)
    cash_flow, rest = _keep(of, revenue - cost)
    return Values(cash_flow + rest, _sell(of), _decommission(of), cash_flow, residual, revenue, cost)


class Month(NamedTuple):
    """A month of the horizon, its number from 1.

    ``now`` discounts to today, ``retained`` is the share of the card's price, ``excess`` of the hazard above the
    fleet's.
    """

    number: int
    now: float
    retained: float
    excess: float


@lru_cache(maxsize=64)
def _months(discount: float, retained: float, half_life_months: float, horizon_months: int) -> tuple[Month, ...]:
    fade = log(2.0) / half_life_months
    return tuple(
        Month(number, discount**number, retained**number, exp(-fade * (number - 1)))
        for number in range(1, horizon_months + 1)
    )


def months_of(assumed: Assumptions) -> tuple[Month, ...]:
    """Return the months of the horizon, the same for every GPU."""
    discount = (1.0 + assumed.discount_rate_per_year) ** (-1.0 / 12.0)
    retained = (1.0 - assumed.value_loss_per_year) ** (1.0 / 12.0)
    return _months(discount, retained, assumed.excess_hazard_half_life_months, assumed.horizon_months)


def monthly_hazards(of: Situation) -> list[float]:
    """Return the rate of failure in each month of the horizon (per month): own at first, the fleet's later."""
    months = DAYS_PER_MONTH / 30.0
    own = -log1p(-min(of.probability_30d, HIGHEST_PROBABILITY)) * months
    base = -log1p(-min(of.fleet_probability_30d, HIGHEST_PROBABILITY)) * months
    return [base + (own - base) * month.excess for month in months_of(of.assumptions)]


def _keep(of: Situation, profit: float) -> tuple[float, float]:
    """Return the discounted cash flow over the horizon, and what the card itself still brings."""
    assumed = of.assumptions
    months = months_of(assumed)
    last = months[-1]
    used, removal = of.price.used_price_usd, assumed.removal_cost_usd
    if of.drained:
        left = used * assumed.salvage_ratio * last.retained - removal
        return sum(profit * month.now for month in months), left * last.now
    failure = assumed.failure_cost_usd
    claim = assumed.warranty_handling_usd + assumed.warranty_downtime_months * max(profit, 0.0)
    alive, cash_flow, rest = 1.0, 0.0, 0.0
    for (number, now, retained, _), hazard in zip(months, monthly_hazards(of), strict=True):
        failed = alive * (1.0 - exp(-hazard))
        if number <= of.warranty_months:
            cash_flow += now * (alive * profit - failed * (claim + failure))
            continue
        alive -= failed
        cash_flow += now * (alive * profit - failed * failure)
        rest += now * failed * (used * retained * assumed.salvage_ratio - removal)
    return cash_flow, rest + alive * last.now * _net(of, used * last.retained)


def _net(of: Situation, price_usd: float) -> float:
    """Return what a working card brings at ``price_usd``: sold, or for parts where that is more."""
    assumed = of.assumptions
    sold = price_usd * (1.0 - assumed.selling_cost_ratio) - assumed.selling_cost_usd
    return max(sold, price_usd * assumed.salvage_ratio - assumed.removal_cost_usd)


def _sell(of: Situation) -> float:
    """Return the sale now; one that fails within its first 30 days comes back, and is worth its parts."""
    assumed = of.assumptions
    used = of.price.used_price_usd
    kept = 1.0 - assumed.selling_cost_ratio
    if of.drained:
        return used * assumed.salvage_ratio * kept - assumed.selling_cost_usd
    sold = used * kept - assumed.selling_cost_usd
    if of.warranty_months > 0.0:
        returned = sold - assumed.warranty_handling_usd - assumed.return_cost_usd
    else:
        returned = used * assumed.salvage_ratio - assumed.selling_cost_usd - assumed.return_cost_usd
    probability = min(max(of.probability_30d, 0.0), 1.0)
    return (1.0 - probability) * sold + probability * returned


def _decommission(of: Situation) -> float:
    """Return the parts less removal; a failed card under warranty is claimed and its replacement sold."""
    assumed = of.assumptions
    parts = of.price.used_price_usd * assumed.salvage_ratio - assumed.removal_cost_usd
    if not of.drained or of.warranty_months <= 0.0:
        return parts
    claimed = _net(of, of.price.used_price_usd) - assumed.warranty_handling_usd - assumed.removal_cost_usd
    return max(parts, claimed)
