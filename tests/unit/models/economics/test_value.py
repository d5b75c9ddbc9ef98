"""The laws of the expected values."""

from __future__ import annotations

from math import isclose, isfinite

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.economics.policy import break_even_probability, choose
from models.economics.prices import load_prices
from models.economics.value import Situation, monthly_hazards, value
from schemas.recommendation import Action

PRICES = load_prices()
H100 = Situation(
    price=PRICES.models["h100_sxm"],
    assumptions=PRICES.assumptions,
    probability_30d=0.0086,
    fleet_probability_30d=0.0086,
    occupied_ratio=0.70,
    power_watts=500.0,
    warranty_months=0.0,
    drained=False,
)
MODELS = st.sampled_from([PRICES.default, *PRICES.models.values()])
RATIO = st.floats(0.0, 1.0)
SITUATIONS = st.builds(
    Situation,
    price=MODELS,
    assumptions=st.just(PRICES.assumptions),
    probability_30d=RATIO,
    fleet_probability_30d=st.floats(0.0, 0.2),
    occupied_ratio=RATIO,
    power_watts=st.floats(0.0, 2000.0),
    warranty_months=st.sampled_from([0.0, 0.5, 3.0, 11.9, 36.0]),
    drained=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(of=SITUATIONS)
def test_values_are_finite(of: Situation) -> None:
    assert all(isfinite(usd) for usd in value(of))


@settings(max_examples=400, deadline=None)
@given(of=SITUATIONS, a=RATIO, b=RATIO)
def test_a_higher_hazard_is_never_worth_more(of: Situation, a: float, b: float) -> None:
    low = value(msgspec.structs.replace(of, probability_30d=min(a, b)))
    high = value(msgspec.structs.replace(of, probability_30d=max(a, b)))
    if low.monthly_profit >= 0.0:  # else failing early spares the months at a loss
        assert high.keep <= low.keep + 1e-6
    assert high.sell <= low.sell + 1e-6


@settings(max_examples=400, deadline=None)
@given(of=SITUATIONS, hazards=st.lists(RATIO, min_size=2, max_size=12))
def test_a_rising_hazard_never_returns_to_keep(of: Situation, hazards: list[float]) -> None:
    previous: Action | None = None
    left = False
    for hazard in sorted(hazards):
        previous, _ = choose(msgspec.structs.replace(of, probability_30d=hazard), previous)
        if previous != "KEEP":
            left = True
        assert not (left and previous == "KEEP")


@settings(max_examples=200, deadline=None)
@given(of=SITUATIONS)
def test_drained_gpu_is_never_kept(of: Situation) -> None:
    for previous in (None, "KEEP"):
        assert choose(msgspec.structs.replace(of, drained=True), previous)[0] != "KEEP"


@settings(max_examples=100, deadline=None)
@given(of=SITUATIONS)
def test_break_even_parts_keep_from_the_rest(of: Situation) -> None:
    found = break_even_probability(of)
    if found is None:
        assert choose(msgspec.structs.replace(of, probability_30d=1.0), None)[0] == "KEEP"
        return
    above = msgspec.structs.replace(of, probability_30d=min(found + 1e-6, 1.0))
    assert choose(above, None)[0] != "KEEP"
    if found > 1e-6:
        below = msgspec.structs.replace(of, probability_30d=found - 1e-6)
        assert choose(below, None)[0] == "KEEP"


def test_healthy_h100_at_work_is_kept_and_the_guide_would_sell() -> None:
    action, values = choose(H100, None)
    assert action == "KEEP"
    assert values.keep > values.sell + 1000.0


def test_idle_h100_is_sold() -> None:
    assert choose(msgspec.structs.replace(H100, occupied_ratio=0.0), None)[0] == "SELL"


def test_h100_that_will_soon_fail_is_sold() -> None:
    assert choose(msgspec.structs.replace(H100, probability_30d=0.4), "KEEP")[0] == "SELL"


def test_without_hazard_the_cash_flow_is_the_annuity() -> None:
    sure = msgspec.structs.replace(H100, probability_30d=0.0, fleet_probability_30d=0.0)
    values = value(sure)
    discount = (1.0 + PRICES.assumptions.discount_rate_per_year) ** (-1.0 / 12.0)
    annuity = sum(values.monthly_profit * discount**month for month in range(1, 13))
    assert isclose(values.cash_flow, annuity, rel_tol=1e-12)
    later = 23_500.0 * 0.70 * 0.92 - 150.0
    assert values.keep == pytest.approx(annuity + later / 1.10, rel=1e-9)
    assert values.sell == pytest.approx(23_500.0 * 0.92 - 150.0)
    assert values.decommission == pytest.approx(23_500.0 * 0.06 - 60.0)


def test_hazard_returns_to_the_fleets() -> None:
    hazards = monthly_hazards(msgspec.structs.replace(H100, probability_30d=0.3))
    base = monthly_hazards(H100)[0]
    assert hazards[0] > 30 * base
    assert hazards == sorted(hazards, reverse=True)
    assert hazards[-1] == pytest.approx(base, rel=0.3)
    assert monthly_hazards(H100) == pytest.approx([base] * 12)


def test_warranty_lifts_keep_and_pays_for_a_failed_card() -> None:
    covered = msgspec.structs.replace(H100, probability_30d=0.2, warranty_months=24.0)
    bare = msgspec.structs.replace(covered, warranty_months=0.0)
    assert value(covered).keep > value(bare).keep
    failed = msgspec.structs.replace(covered, drained=True)
    assert choose(failed, "KEEP")[0] == "DECOMMISSION"
    assert value(failed).decommission > 0.8 * H100.price.used_price_usd
