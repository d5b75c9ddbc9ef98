"""The recommendation: when it is said, what it says, hysteresis."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan

import msgspec
import pytest

from models.alerts.rules_file import load_rules
from models.alerts.specs import BY_NAME
from models.alerts.transitions import fire
from models.economics import policy
from models.economics.policy import advise, choose, guide_action, should_decide
from models.economics.prices import load_prices
from models.economics.situation import replacement_due, situation, warranty_months
from models.risk.serving import assess
from schemas.recommendation import Recommendation
from schemas.side_input import Asset
from tests.unit.models.economics.test_value import H100
from tests.unit.models.risk.gpu import START, Gpu, sample

HOUR = 3600.0
PRICES = load_prices()


@dataclass
class Scores:
    """Health as the advice reads it."""

    overall: float = 96.0


def worked(hours: float = 30.0) -> Gpu:
    gpu = Gpu()
    gpu.run(hours * HOUR, step=60.0)
    return gpu


def fails(gpu: Gpu) -> None:
    """Row remapping fails: the alert says to replace the GPU."""
    gpu.run(60.0, row_remap_failed=1.0)
    alert = BY_NAME["row_remap_failed"].draft(gpu.now, load_rules(), value=1.0, limit=0.0)
    gpu.state.alerts[alert.key] = alert
    fire(gpu.state, alert, gpu.now)


def test_healthy_h100_is_kept_where_the_guide_sells() -> None:
    gpu = worked()
    said = advise(gpu.state, Scores(), gpu.risk, PRICES, None)
    assert said is not None
    assert msgspec.json.decode(msgspec.json.encode(said), type=Recommendation) == said
    assert (said.action, said.guide_action, said.policy) == ("KEEP", "SELL", "expected_value")
    assert (said.previous_action, said.health_score, said.risk_score) == (None, 96, 0)
    assert said.margin_usd is not None
    assert said.margin_usd > 0.0
    assert said.break_even_probability is not None
    assert said.failure_probability_30d < said.break_even_probability < 1.0
    assert said.monthly_revenue_usd is not None
    assert said.monthly_cost_usd is not None
    assert said.monthly_profit_usd == pytest.approx(said.monthly_revenue_usd - said.monthly_cost_usd, abs=0.02)
    assert said.expected_value_usd is not None
    assert set(said.expected_value_usd) == {"KEEP", "SELL", "DECOMMISSION"}
    assert said.warranty_claim is False


def test_said_on_a_change_of_action_only() -> None:
    gpu = worked()
    scores = Scores()
    assert advise(gpu.state, scores, gpu.risk, PRICES, None) is not None
    gpu.state.evidence_dirty = False
    gpu.run(60.0)
    assert advise(gpu.state, scores, gpu.risk, PRICES, None) is None
    assert gpu.state.evidence_dirty is False  # nothing was valued, nothing to keep
    gpu.run(30 * HOUR, step=60.0)
    gpu.state.evidence_dirty = False
    assert advise(gpu.state, scores, gpu.risk, PRICES, None) is None
    assert gpu.state.evidence_dirty is True  # reviewed after a day, the same action
    fails(gpu)
    said = advise(gpu.state, scores, gpu.risk, PRICES, None)
    assert said is not None
    assert (said.action, said.previous_action) == ("DECOMMISSION", "KEEP")
    assert any("replace_class" in reason for reason in said.reasons)


@pytest.mark.parametrize("flag", ["row_remap_failed", "memory_unrepairable", "sram_threshold_exceeded"])
def test_failed_memory_leaves_keep_by_the_numbers(flag: str) -> None:
    gpu = worked(3.0)
    gpu.run(60.0, **{flag: 1.0})
    said = advise(gpu.state, Scores(20.0), gpu.risk, PRICES, None)
    assert said is not None
    assert said.action in ("SELL", "DECOMMISSION")
    assert said.expected_value_usd is not None
    assert said.expected_value_usd["KEEP"] < said.expected_value_usd[said.action]


def test_failed_within_warranty_is_claimed() -> None:
    gpu = worked(3.0)
    fails(gpu)
    asset = Asset(gpu_id="GPU-1", warranty_expiry="2028-01-01")
    said = advise(gpu.state, Scores(20.0), gpu.risk, PRICES, asset)
    assert said is not None
    assert (said.action, said.warranty_claim) == ("DECOMMISSION", True)


def test_a_lost_gpu_is_not_given_up_before_its_remedies_were_tried() -> None:
    """The alert says to restart the node, then to power cycle it: the advice must not say to scrap the GPU."""
    gpu = worked(3.0)
    for losses in (1, 2):
        gpu.state.note("xid:79", gpu.now, history=False)
        gpu.run(15 * HOUR, step=300.0)
        assert not replacement_due(gpu.state), losses
    gpu.state.note("xid:79", gpu.now, history=False)
    assert replacement_due(gpu.state)
    said = advise(gpu.state, Scores(39.0), gpu.risk, PRICES, None)
    assert said is not None
    assert said.action == "DECOMMISSION"


def test_many_lines_of_one_loss_are_no_losses_after_remedies() -> None:
    gpu = worked(3.0)
    for _ in range(9):
        gpu.state.note("xid:79", gpu.now, history=False)
        gpu.run(300.0, step=60.0)
    assert not replacement_due(gpu.state)


def test_unknown_model_is_valued_as_the_default_with_low_confidence() -> None:
    gpu = worked(3.0)
    gpu.state.labels = {}
    said = advise(gpu.state, Scores(), gpu.risk, PRICES, None)
    assert said is not None
    assert (said.model, said.confidence) == (None, "low")
    assert {
        name: value for name, value in msgspec.to_builtins(said).items() if name.endswith("_usd")
    } == dict.fromkeys(
        (
            "expected_value_usd",
            "margin_usd",
            "residual_value_usd",
            "monthly_revenue_usd",
            "monthly_cost_usd",
            "monthly_profit_usd",
            "npv_keep_12m_usd",
        )
    )
    assert any(reason.startswith("model_unknown") for reason in said.reasons)


def test_model_of_the_asset_list_stands_in_for_the_label() -> None:
    gpu = worked(3.0)
    gpu.state.labels = {}
    found = situation(gpu.state, gpu.risk, PRICES, Asset(gpu_id="GPU-1", model="H200"))
    assert found.situation.price is PRICES.models["h200_sxm"]


def test_first_sample_is_valued_by_the_owners_prior() -> None:
    gpu = Gpu()
    gpu.run(10.0)
    found = situation(gpu.state, gpu.risk, PRICES, None)
    assert found.situation.occupied_ratio == pytest.approx(PRICES.assumptions.prior_occupied_ratio, abs=1e-3)
    assert found.occupancy_measured is False
    said = advise(gpu.state, Scores(nan), gpu.risk, PRICES, None)
    assert said is not None
    assert said.action == "KEEP"
    assert (said.health_score, said.confidence) == (None, "low")


def test_measured_occupancy_replaces_the_prior() -> None:
    busy, idle = worked(100.0), Gpu()
    idle.run(100 * HOUR, step=60.0, sm_active_ratio=0.0, power_usage_watts=70.0)
    ratios = [situation(gpu.state, gpu.risk, PRICES, None).situation.occupied_ratio for gpu in (busy, idle)]
    prior, weight = PRICES.assumptions.prior_occupied_ratio, PRICES.assumptions.prior_occupied_weight_hours
    assert ratios[0] == pytest.approx((100.0 + prior * weight) / (100.0 + weight), rel=1e-3)
    assert ratios[1] == pytest.approx((0.0 + prior * weight) / (100.0 + weight), rel=1e-3)


def test_another_action_must_be_better_by_the_margin() -> None:
    even = policy.break_even_probability(H100)
    assert even is not None
    just_above = msgspec.structs.replace(H100, probability_30d=even * 1.01)
    just_below = msgspec.structs.replace(H100, probability_30d=even * 0.99)
    assert choose(just_above, None)[0] == "SELL"
    assert choose(just_above, "KEEP")[0] == "KEEP"
    assert choose(just_below, None)[0] == "KEEP"
    assert choose(just_below, "SELL")[0] == "SELL"
    assert choose(msgspec.structs.replace(H100, probability_30d=even * 3.0), "KEEP")[0] == "SELL"


def test_should_decide_on_each_thing_that_moves() -> None:
    gpu = worked(2.0)
    scores, risk = Scores(), gpu.risk
    advise(gpu.state, scores, risk, PRICES, None)
    last = gpu.state.published.advice
    assert last is not None
    assert not should_decide(last, scores, risk, PRICES, None, gpu.now, False)
    assert should_decide(last, scores, risk, PRICES, None, gpu.now + 24 * HOUR, False)
    assert should_decide(last, Scores(69.0), risk, PRICES, None, gpu.now, False)
    assert should_decide(last, Scores(nan), risk, PRICES, None, gpu.now, False)
    assert should_decide(last, scores, risk, msgspec.structs.replace(PRICES, version=2), None, gpu.now, False)
    asset = Asset(gpu_id="GPU-1", warranty_expiry="2027-01-01")
    assert should_decide(last, scores, risk, PRICES, asset, gpu.now, False)
    assert should_decide(last, scores, risk, PRICES, None, gpu.now, True)


def test_all_figures_are_finite_for_a_first_bare_sample() -> None:
    gpu = Gpu()
    gpu.state.update(sample(START + 10.0, sm_active_ratio=nan, power_usage_watts=nan, gpu_temp_celsius=nan))
    risk = assess(gpu.state, gpu.model, gpu.profile)
    said = advise(gpu.state, Scores(nan), risk, PRICES, None)
    assert said is not None
    assert all(isfinite(item) for item in msgspec.to_builtins(said).values() if isinstance(item, float))


@pytest.mark.parametrize(
    ("expiry", "months", "readable"),
    [(None, 0.0, True), ("2026-02-09", 0.0, True), ("2027-02-09", 12.0, True), ("next year", 0.0, False)],
)
def test_warranty(expiry: str | None, months: float, readable: bool) -> None:
    left, told = warranty_months(Asset(gpu_id="GPU-1", warranty_expiry=expiry), START)
    assert left == pytest.approx(months, abs=0.05)
    assert told is readable


@pytest.mark.parametrize("health", range(25, 101))
def test_guide_sells_every_gpu_that_lives(health: int) -> None:
    assert guide_action(health, 38_000.0, 24_858.0 / 12) == "SELL"


def test_guide_decommissions_at_0_and_takes_silence_for_health() -> None:
    assert guide_action(0, 38_000.0, 0.0) == "DECOMMISSION"
    assert guide_action(None, 38_000.0, 24_858.0 / 12) == "SELL"


@pytest.mark.parametrize(("model", "advised"), [("GRID A100-8C", False), ("NVIDIA A100-SXM4-80GB", True)])
def test_a_guests_slice_of_a_gpu_gets_no_advice(model: str, advised: bool) -> None:
    gpu = worked(1.0)
    gpu.state.labels = {"model": model}
    assert (advise(gpu.state, Scores(), gpu.risk, PRICES, None) is not None) is advised
