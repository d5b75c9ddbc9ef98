"""Power that load, clock and cap explain."""

from __future__ import annotations

from math import isnan, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gpu.slots import POWER_LIMIT
from models.health.load_model import LoadModel, LoadModels, decode_load_models
from schemas.signals import SIGNALS

H100 = LoadModel(idle_watts=70.0, full_load_watts=600.0, reference_clock_hertz=1.98e9, clock_exponent=2.0)


def lasting(limit: float) -> list[float]:
    values = [nan] * len(SIGNALS)
    values[POWER_LIMIT] = limit
    return values


def test_what_the_model_explains_leaves_nothing() -> None:
    assert H100.residual_watts(70.0, 0.0, 1.98e9, lasting(nan)) == 0.0
    assert H100.residual_watts(670.0, 1.0, 1.98e9, lasting(700.0)) == 0.0
    assert H100.residual_watts(70.0 + 150.0, 1.0, 0.99e9, lasting(700.0)) == pytest.approx(0.0)


def test_at_the_cap_a_gpu_is_busy_not_unstable() -> None:
    assert H100.residual_watts(400.0, 1.0, 1.98e9, lasting(400.0)) == 0.0


@pytest.mark.parametrize(("watts", "load", "clock"), [(nan, 0.5, 1e9), (300.0, nan, 1e9), (300.0, 0.5, nan)])
def test_an_input_that_is_not_measured_leaves_no_residual(watts: float, load: float, clock: float) -> None:
    assert isnan(H100.residual_watts(watts, load, clock, lasting(700.0)))


def test_the_payload_comes_back_and_gives_functions_by_model() -> None:
    models = LoadModels(models={"NVIDIA H100 80GB HBM3": H100})
    again = decode_load_models(msgspec.json.encode(models))
    assert again == models
    assert again.functions()["NVIDIA H100 80GB HBM3"](170.0, 0.0, 1e9, lasting(nan)) == 100.0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'{"models": {"X": {"idle_watts": 1}}}',
        b'{"models": {"X": {"idle_watts": -1, "full_load_watts": 1, "reference_clock_hertz": 1}}}',
        b'{"models": {"X": {"idle_watts": 1, "full_load_watts": 1, "reference_clock_hertz": 0}}}',
        b'{"models": {"X": {"idle_watts": 1, "full_load_watts": 1, "reference_clock_hertz": 1, "more": 1}}}',
    ],
)
def test_a_bad_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="load models"):
        decode_load_models(payload)


@given(st.floats(0.0, 1.05), st.floats(0.0, 1.05), st.floats(0.0, 3e9), st.floats(0.0, 3e9))
def test_expected_power_rises_with_load_and_clock_and_stays_below_the_cap(
    load: float, other_load: float, clock: float, other_clock: float
) -> None:
    (low, high), (slow, fast) = sorted((load, other_load)), sorted((clock, other_clock))
    assert H100.expected_watts(low, slow, 500.0) <= H100.expected_watts(high, fast, 500.0) <= 500.0
