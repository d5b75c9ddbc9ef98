"""The served probability equals River's, is a function of the state, and stays finite."""

from __future__ import annotations

import subprocess
import sys
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gpu.remembered import Remembered
from models.risk import online
from models.risk.features import FEATURES, NAMES
from models.risk.serving import assess, probability
from tests.unit.models.risk.gpu import Gpu, sample

HOUR = 3600.0


def learned_model() -> online.RiskModel:
    """Return a model in which every feature has a weight of its own."""
    weights = tuple(0.3 - 0.05 * (index % 13) for index in range(len(NAMES)))
    return msgspec.structs.replace(online.prior_model(), version=7, weights=weights, bias=-3.0)


def troubled(model: online.RiskModel) -> Gpu:
    gpu = Gpu(model)
    gpu.run(3 * HOUR, gpu_temp_celsius=70.0)
    gpu.run(HOUR, ecc_sbe_volatile_total=40.0, ecc_dbe_volatile_total=2.0, clocks_event_reasons=float(0x40))
    gpu.note("dbe")
    gpu.note("xid:119", gpu.now - 2 * HOUR)
    gpu.run(
        3 * HOUR,
        deployed_at=gpu.now - 400 * 86_400.0,
        gpu_temp_celsius=88.0,
        row_remap_pending=1.0,
        row_remap_uncorrectable_total=3.0,
        memory_temp_celsius=90.0,
    )
    return gpu


@pytest.mark.parametrize("model", [online.prior_model(), learned_model()], ids=["prior", "learned"])
def test_serving_equals_river(model: online.RiskModel) -> None:
    gpu = troubled(model)
    risk = assess(gpu.state, model, gpu.profile, gpu.now - 400 * 86_400.0)
    river: Any = online.river_from(model)
    expected = river.predict_proba_one(dict(zip(NAMES, risk.x, strict=True)))[True]
    assert risk.probability_30d == pytest.approx(expected, abs=1e-9)
    assert risk.probability_30d > 5 * risk.fleet_probability_30d or model.version == 7


@settings(max_examples=50, deadline=None)
@given(x=st.lists(st.floats(-4.0, 4.0), min_size=len(NAMES), max_size=len(NAMES)))
def test_probability_equals_river_on_any_vector(x: list[float]) -> None:
    model = learned_model()
    river: Any = online.river_from(model)
    ours = probability(model.bias + sum(w * value for w, value in zip(model.weights, x, strict=True)))
    assert ours == pytest.approx(river.predict_proba_one(dict(zip(NAMES, x, strict=True)))[True], abs=1e-9)


def test_a_model_learned_by_river_is_served_the_same() -> None:
    from river.optim import AdaGrad

    river: Any = online.river_from(online.prior_model(), AdaGrad(0.03))
    vector = dict.fromkeys(NAMES, 0.5)
    for index in range(50):
        river.learn_one(vector, index % 5 == 0)
    model = online.model_from(river, version=2, horizon_ratio=0.25, fleet_probability_30d=0.01, origin="learned")
    again = online.decode_model(msgspec.json.encode(model))
    assert again == model
    expected = river.predict_proba_one(vector)[True]
    logit = again.bias + sum(0.5 * weight for weight in again.weights)
    assert probability(logit) == pytest.approx(expected, abs=1e-9)


def test_vector_is_the_scaled_feature_values() -> None:
    gpu = troubled(online.prior_model())
    risk = gpu.run(10.0)
    expected = [feature.scaled(value) for feature, value in zip(FEATURES, [*risk.fast, *risk.slow], strict=True)]
    assert risk.x == expected


def test_a_dropped_cache_changes_nothing() -> None:
    one, two = troubled(learned_model()), troubled(learned_model())
    for index in range(40):
        two.state.risk = None  # as after a restore
        time = one.now + 120.0 * (index + 1)
        pending = 1.0 if index < 30 else 0.0
        results = []
        for gpu in (one, two):
            if index == 10:
                gpu.note("lost", time - 30.0)
            if index == 20:
                del gpu.state.evidence["lost"]
            gpu.state.update(
                sample(
                    time,
                    gpu_temp_celsius=80.0 + index % 7,
                    ecc_sbe_volatile_total=float(index),
                    row_remap_pending=pending,
                )
            )
            risk = assess(gpu.state, gpu.model, gpu.profile)
            results.append((risk.probability_30d, risk.probability_7d, risk.risk_score, tuple(risk.x), risk.points))
        assert results[0] == results[1]


def test_history_survives_packing_as_plain_values() -> None:
    gpu = troubled(online.prior_model())
    before = gpu.run(10.0).probability_30d
    packed = msgspec.msgpack.encode(gpu.state.remembered)
    gpu.state.remembered = msgspec.msgpack.decode(packed, type=Remembered)
    gpu.state.risk = None
    after = assess(gpu.state, gpu.model, gpu.profile)
    assert after.probability_30d == before


def test_own_history_outlives_the_evidence_and_fades() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    base = gpu.run(10.0).probability_30d
    gpu.note("lost")
    fresh = gpu.run(10.0).probability_30d
    assert fresh / (1 - fresh) / (base / (1 - base)) == pytest.approx(online.HISTORY_RATIO, rel=1e-6)
    del gpu.state.evidence["lost"]
    later = gpu.run(10 * 86_400.0, step=HOUR).probability_30d
    assert base < later < fresh
    assert gpu.run(200 * 86_400.0, step=6 * HOUR).probability_30d < later


def test_events_within_an_hour_are_one() -> None:
    gpu = Gpu()
    gpu.run(HOUR)
    for kind in ("dbe", "xid:48", "xid:94"):
        gpu.note(kind)
        gpu.run(10.0)
    assert msgspec.to_builtins(gpu.state.remembered.risk_history["memory"])[1:] == [1.0, 1.0, 1.0]
    gpu.run(2 * HOUR)
    gpu.note("dbe")
    gpu.run(10.0)
    assert gpu.state.remembered.risk_history["memory"].sum_7d == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("kind", ["xid_latched:79", "corrected_storm", "xid:45", "xid:99999"])
def test_what_is_no_hardware_event_is_no_history(kind: str) -> None:
    gpu = Gpu()
    gpu.note(kind, gpu.now)
    risk = gpu.run(20.0)
    assert gpu.state.remembered.risk_history == {}
    assert risk.probability_30d == pytest.approx(risk.fleet_probability_30d)


def test_history_is_written_only_when_something_happens() -> None:
    gpu = Gpu()
    gpu.note("xid:74", gpu.now)
    gpu.run(20.0)
    gpu.state.evidence_dirty = False
    assess(gpu.state, gpu.model, gpu.profile)
    assert gpu.state.evidence_dirty is False


def test_age_counts_only_where_the_asset_tells_it() -> None:
    model = learned_model()
    absent, present = Gpu(model), Gpu(model)
    a = absent.run(HOUR)
    b = present.run(HOUR, deployed_at=present.now - 2000 * 86_400.0)
    index = NAMES.index("age_days")
    assert a.x[index] == 0.0
    assert b.x[index] > 1.0
    assert a.probability_30d != b.probability_30d


@settings(max_examples=60, deadline=None)
@given(
    weight=st.floats(-1e6, 1e6),
    bias=st.floats(-1e6, 1e6),
    ratio=st.floats(0.01, 1.0),
    temp=st.floats(-50.0, 200.0),
    errors=st.floats(0.0, 1e15),
)
def test_always_finite_and_7d_never_above_30d(
    weight: float, bias: float, ratio: float, temp: float, errors: float
) -> None:
    prior = online.prior_model()
    model = msgspec.structs.replace(prior, weights=(weight,) * len(NAMES), bias=bias, horizon_ratio=ratio)
    gpu = Gpu(model)
    gpu.run(20.0)
    risk = gpu.run(100.0, gpu_temp_celsius=temp, ecc_sbe_volatile_total=errors, ecc_dbe_volatile_total=errors)
    assert isfinite(risk.probability_30d)
    assert 0.0 <= risk.probability_7d <= risk.probability_30d <= 1.0
    assert 0 <= risk.risk_score <= 100


@pytest.mark.parametrize(
    "change",
    [
        {"features_version": 99},
        {"features": ("a",)},
        {"weights": (1.0,)},
        {"scales": (1.0,) * len(NAMES)},
        {"horizon_ratio": 1.5},
        {"fleet_probability_30d": 0.0},
    ],
    ids=str,
)
def test_a_model_for_another_vector_is_refused(change: dict[str, object]) -> None:
    bad = msgspec.structs.replace(online.prior_model(), **change)
    with pytest.raises(ValueError, match="risk model"):
        online.decode_model(msgspec.json.encode(bad))


def test_serving_never_imports_river() -> None:
    code = (
        "import sys, models.risk.serving, models.risk.explain, models.risk.online as o; o.prior_model();"
        "sys.exit('river' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_prior_is_the_published_base_rate() -> None:
    model = online.prior_model()
    assert model.fleet_probability_30d == pytest.approx(0.0086, abs=1e-4)
    assert probability(model.bias) == pytest.approx(model.fleet_probability_30d, abs=1e-12)
