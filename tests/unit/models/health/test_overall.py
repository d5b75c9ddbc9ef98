"""The scores of a sample: laws, null scores, coverage, and when they are worth saying."""

from __future__ import annotations

from math import isnan

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.health.coverage import MEMORY_REQUIRED, ratio
from models.health.load_model import LoadModel
from models.health.overall import Scores, moved, score, to_published
from tests.unit.models.health.gpu import HEALTHY, PROFILE, Gpu

MODEL = LoadModel(idle_watts=100.0, full_load_watts=200.0, reference_clock_hertz=1.7e9, clock_exponent=0.0)
PARTS = ("thermal", "memory", "power", "overall")

# Signal, how it gets worse: values from good to bad.
STRESSES: dict[str, st.SearchStrategy[float]] = {
    "gpu_temp_celsius": st.floats(-40.0, 190.0),
    "memory_temp_celsius": st.floats(1.0, 190.0),
    "row_remap_failed": st.sampled_from([0.0, 1.0]),
    "row_remap_pending": st.sampled_from([0.0, 1.0]),
    "page_retired_pending": st.sampled_from([0.0, 1.0]),
    "sram_threshold_exceeded": st.sampled_from([0.0, 1.0]),
    "memory_unrepairable": st.sampled_from([0.0, 1.0]),
    "bank_remap_avail_none": st.integers(0, 5).map(float),
    "page_retired_sbe_total": st.integers(0, 70).map(float),
    "page_retired_dbe_total": st.integers(0, 70).map(float),
    "gpu_recovery_action": st.integers(0, 5).map(float),
}
COUNTED: dict[str, st.SearchStrategy[float]] = {
    "ecc_sbe_volatile_total": st.one_of(st.integers(0, 200), st.integers(0, 30_000_000)).map(float),
    "ecc_dbe_volatile_total": st.integers(0, 2).map(float),
    "ecc_sbe_sram_volatile_total": st.integers(0, 20_000).map(float),
    "nvlink_recovery_failed_total": st.integers(0, 2).map(float),
    "sw_thermal_slowdown_seconds_total": st.floats(0.0, 600.0),
    "hw_power_brake_seconds_total": st.floats(0.0, 600.0),
}
SPREAD = st.floats(0.0, 250.0)


def run(gauges: dict[str, float], counts: dict[str, float], spread: float) -> Scores:
    """Return the scores after 40 minutes: gauges from the start, counts rising after the first sample."""
    gpu = Gpu({**HEALTHY, **dict.fromkeys(counts, 0.0), **gauges}, interval=60.0, load_model=MODEL.residual_watts)
    gpu.set(energy_joules_total=None)
    gpu.tick()
    gpu.set(**counts)
    for minute in range(39):
        gpu.set(power_usage_watts=300.0 + (spread if minute % 2 else -spread))
        scores = gpu.tick()
    return scores


@settings(max_examples=60)
@given(st.fixed_dictionaries({}, optional=STRESSES), st.fixed_dictionaries({}, optional=COUNTED), SPREAD)
def test_scores_lie_within_0_and_100(gauges: dict[str, float], counts: dict[str, float], spread: float) -> None:
    scores = run(gauges, counts, spread)
    for part in PARTS:
        value = getattr(scores, part)
        assert isnan(value) or 0.0 <= value <= 100.0


@settings(max_examples=80)
@given(st.data())
def test_each_score_falls_or_stays_with_each_stress(data: st.DataObject) -> None:
    gauges = data.draw(st.fixed_dictionaries({}, optional=STRESSES))
    counts = data.draw(st.fixed_dictionaries({}, optional=COUNTED))
    spread = data.draw(SPREAD)
    name = data.draw(st.sampled_from([*STRESSES, *COUNTED, "spread"]))
    if name == "spread":
        low, high = sorted((spread, data.draw(SPREAD)))
        better, worse = run(gauges, counts, low), run(gauges, counts, high)
    elif name in STRESSES:
        low, high = sorted((data.draw(STRESSES[name]), data.draw(STRESSES[name])))
        better, worse = run({**gauges, name: low}, counts, spread), run({**gauges, name: high}, counts, spread)
    else:
        low, high = sorted((data.draw(COUNTED[name]), data.draw(COUNTED[name])))
        better, worse = run(gauges, {**counts, name: low}, spread), run(gauges, {**counts, name: high}, spread)
    for part in PARTS:
        assert getattr(worse, part) <= getattr(better, part) + 1e-9


@settings(max_examples=60)
@given(
    st.fixed_dictionaries({}, optional=STRESSES),
    st.fixed_dictionaries({}, optional=COUNTED),
    st.sampled_from(["memory_temp_celsius", "clocks_event_reasons", *STRESSES]),
)
def test_an_absent_signal_costs_no_points(gauges: dict[str, float], counts: dict[str, float], name: str) -> None:
    if name == "gpu_temp_celsius":
        return
    with_it = Gpu({**HEALTHY, **gauges, **counts}, interval=60.0)
    without = Gpu({**HEALTHY, **gauges, **counts}, interval=60.0).set(**{name: None})
    one, other = with_it.run(900.0), without.run(900.0)
    for part in ("thermal", "memory", "power"):
        left, right = getattr(one, part), getattr(other, part)
        assert isnan(right) or right >= left - 1e-9
        assert ratio(other.inputs, part) <= ratio(one.inputs, part)


# -- null scores -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "null"),
    [
        (["gpu_temp_celsius"], "thermal"),
        (["ecc_sbe_volatile_total"], "memory"),
        (["ecc_dbe_volatile_total"], "memory"),
        (["row_remap_failed"], "memory"),
        (["power_usage_watts"], "power"),
        (["sm_active_ratio"], "power"),
    ],
)
def test_a_score_without_its_required_inputs_is_null(missing: list[str], null: str) -> None:
    scores = Gpu().set(**dict.fromkeys(missing)).run(600.0)
    assert [part for part in PARTS if isnan(getattr(scores, part))] == [null]
    assert scores.partial
    assert scores.overall == 100.0


def test_the_overall_is_the_weighted_mean_of_the_scores_there_are() -> None:
    gpu = Gpu(interval=60.0).set(ecc_sbe_volatile_total=None, gpu_temp_celsius=80.0, clocks_event_reasons=128.0)
    scores = gpu.run(3600.0)
    assert scores.overall == pytest.approx((0.35 * 90.0 + 0.20 * 40.0) / 0.55, abs=1e-5)


def test_power_that_nothing_judges_is_null_not_100() -> None:
    scores = Gpu().set(clocks_event_reasons=None).run(600.0)
    assert isnan(scores.power)


def test_power_without_a_load_model_is_what_the_brake_says() -> None:
    assert Gpu().run(3600.0).power == 100.0


def test_retired_pages_stand_for_remapped_rows_before_ampere() -> None:
    gpu = Gpu().set(row_remap_failed=None, row_remap_pending=None, page_retired_dbe_total=0.0)
    assert gpu.run(60.0).memory == 100.0


def test_ecc_off_is_not_measured() -> None:
    assert isnan(Gpu().set(ecc_mode=0.0).run(60.0).memory)


def test_an_input_may_be_absent_for_an_hour() -> None:
    gpu = Gpu(interval=60.0)
    gpu.run(7200.0)
    gpu.set(ecc_sbe_volatile_total=None)
    assert gpu.run(3600.0).memory == 100.0
    assert isnan(gpu.run(120.0).memory)
    gpu.set(ecc_sbe_volatile_total=0.0)
    scores = gpu.tick()
    assert scores.memory == 100.0
    assert scores.inputs & MEMORY_REQUIRED == MEMORY_REQUIRED


def test_an_input_that_flickers_never_changes_the_coverage() -> None:
    gpu = Gpu(interval=10.0)
    inputs = set()
    for index in range(2000):
        gpu.set(ecc_sbe_volatile_total=None if index % 2 else 0.0)
        inputs.add(gpu.tick().inputs)
    assert len(inputs) == 1


def test_a_steady_set_of_inputs_leaves_the_evidence_record_alone() -> None:
    gpu = Gpu(interval=10.0)
    gpu.run(60.0)
    gpu.state.evidence_dirty = False
    gpu.run(600.0)
    assert not gpu.state.evidence_dirty


# -- when to say -------------------------------------------------------------------------------------------


def test_the_first_scores_are_said() -> None:
    assert moved(Gpu().tick(), None)


def test_steady_scores_are_said_every_15_minutes() -> None:
    gpu = Gpu(interval=10.0)
    said = to_published(gpu.tick())
    for _ in range(89):
        assert not moved(gpu.tick(), said)
    assert moved(gpu.tick(), said)


def test_a_whole_unrounded_point_is_said_and_less_is_not() -> None:
    gpu = Gpu(interval=60.0)
    gpu.tick()
    said = to_published(gpu.tick())
    gpu.set(ecc_sbe_volatile_total=0.0)
    scores = gpu.tick()
    scores.memory = 99.0001
    assert not moved(scores, said)
    scores.memory = 99.0
    assert moved(scores, said)


def test_becoming_null_and_measured_again_is_said() -> None:
    gpu = Gpu(interval=60.0)
    scores = gpu.tick()
    said = to_published(scores)
    scores.memory = float("nan")
    assert moved(scores, said)
    null_said = to_published(scores)
    assert not moved(scores, null_said)
    scores.memory = 100.0
    assert moved(scores, null_said)


def test_evidence_that_costs_no_point_is_said() -> None:
    gpu = Gpu(interval=10.0)
    gpu.set(row_remap_failed=1.0)
    said = to_published(gpu.tick())
    gpu.state.note("xid:64", gpu.time, history=False)
    scores = gpu.tick()
    assert scores.overall == said.overall
    assert moved(scores, said)


def test_a_null_score_is_kept_as_none() -> None:
    scores = Gpu().set(gpu_temp_celsius=None).tick()
    assert msgspec.to_builtins(to_published(scores)) == {
        "at": scores.time,
        "overall": 100.0,
        "thermal": None,
        "memory": 100.0,
        "power": 100.0,
        "evidence": 0,
        "coverage": scores.coverage,
    }
    assert 0.5 < scores.coverage < 0.7


def test_scores_are_a_function_of_the_state_alone() -> None:
    gpu = Gpu(interval=60.0).set(gpu_temp_celsius=83.0, row_remap_pending=1.0)
    first = gpu.run(3600.0)
    again = score(gpu.state, PROFILE)
    assert [getattr(first, name) for name in Scores.__slots__] == [getattr(again, name) for name in Scores.__slots__]
