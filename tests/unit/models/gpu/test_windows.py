"""Windows equal a brute-force recomputation, whatever gaps, resets, late and repeated samples come."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gpu.columns import CORRECTED, OBSERVED, TEMP, TEMP_MAX, THERMAL
from models.gpu.state import GpuState
from models.gpu.totals import Totals
from schemas.raw import MetricValue, RawMessage
from schemas.sample import to_sample
from tests.unit.models.gpu import brute_force
from tests.unit.models.gpu.brute_force import Tick, Window

START = 1_770_595_200.0  # midnight UTC
DAY = 86_400.0


def feed(state: GpuState, ticks: list[Tick]) -> None:
    """Send ``ticks`` as role score does: what is not newer changes nothing."""
    for tick in ticks:
        metrics: dict[str, MetricValue] = {
            "gpu_temp_celsius": tick.temp,
            "clocks_event_reasons": None if tick.bits is None else float(tick.bits),
            "ecc_sbe_volatile_total": tick.corrected,
        }
        raw = RawMessage(
            timestamp=tick.time, gpu_id="GPU-1", host_id="h", metrics=metrics, interval_seconds=tick.interval
        )
        if not tick.time <= state.time:
            state.update(to_sample(raw, tick.time))


def window(state: GpuState, totals: Totals) -> Window:
    """Return what the state says of one window."""
    return Window(
        observed=state.hour.total(OBSERVED, totals),
        mean=state.hour.mean(TEMP, totals),
        highest=state.hour.highest(TEMP_MAX, totals),
        corrected=state.hour.total(CORRECTED, totals),
        share=state.hour.share(THERMAL, totals),
    )


def same(found: Window, expected: Window) -> None:
    """Compare to the precision of float32 buckets."""
    for name in ("observed", "mean", "highest", "corrected", "share"):
        left, right = getattr(found, name), getattr(expected, name)
        assert left == pytest.approx(right, rel=2e-6, abs=1e-6, nan_ok=True), name


STEPS = st.one_of(
    st.sampled_from([-30.0, 0.0, 1.0, 10.0, 10.0, 10.0, 30.0, 41.0, 59.0, 61.0]),
    st.sampled_from([600.0, 3599.0, 3600.0, 7200.0, 50_000.0, DAY]),
    st.sampled_from([144 * 3600.0, 160 * 3600.0, 168 * 3600.0, 8 * DAY, 29 * DAY, 30 * DAY, 45 * DAY]),
)
COUNTER = st.one_of(st.none(), st.integers(0, 5).map(float), st.just(-1.0))  # -1: it falls to zero


@st.composite
def histories(draw: st.DrawFn) -> list[Tick]:
    """Draw a history with gaps of all lengths, counter resets, bad reads, late and repeated samples."""
    time, newest, counter = START + draw(st.integers(0, 86_399)), -inf, 0.0
    ticks: list[Tick] = []
    for _ in range(draw(st.integers(1, 60))):
        time = max(newest, time) + draw(STEPS)
        newest = max(newest, time)
        step = draw(COUNTER)
        if step is not None:
            counter = 0.0 if step < 0.0 else counter + step
        ticks.append(
            Tick(
                time=time,
                temp=draw(st.one_of(st.none(), st.integers(20, 110).map(float))),
                bits=draw(st.sampled_from([None, 0, 0x4, 0x20, 0x40, 0x60])),
                corrected=None if step is None else counter,
                interval=draw(st.sampled_from([1.0, 10.0, 30.0, 300.0])),
            )
        )
    return ticks


@settings(max_examples=200)
@given(histories())
def test_windows_equal_brute_force(ticks: list[Tick]) -> None:
    state = GpuState("GPU-1", "h")
    feed(state, ticks)
    kept = brute_force.taken(ticks)
    same(window(state, state.windows.week), brute_force.week(kept))
    same(window(state, state.windows.month), brute_force.month(kept))


@settings(max_examples=50)
@given(histories())
def test_totals_are_those_of_the_rows(ticks: list[Tick]) -> None:
    state = GpuState("GPU-1", "h")
    feed(state, ticks)
    before = (state.windows.week.sums[:], state.windows.month.sums[:], state.windows.month.seconds[:])
    state.windows.rebuild()
    assert before == (state.windows.week.sums, state.windows.month.sums, state.windows.month.seconds)


def test_a_dense_month_equals_brute_force() -> None:
    ticks = [
        Tick(START + 300.0 * i, 50.0 + i % 41, 0x20 if i % 97 == 0 else 0, float(i // 50), interval=300.0)
        for i in range(35 * 288)
    ]
    state = GpuState("GPU-1", "h")
    feed(state, ticks)
    same(window(state, state.windows.week), brute_force.week(ticks))
    same(window(state, state.windows.month), brute_force.month(ticks))


@pytest.mark.parametrize("silence_hours", [1, 23, 24, 120, 145, 150, 167, 168, 169, 500])
def test_a_silence_keeps_the_day_before_it_in_the_month(silence_hours: int) -> None:
    first = [Tick(START + 10.0 * 3600 + 10.0 * i, 90.0, 0, float(i)) for i in range(100)]
    after = [Tick(first[-1].time + silence_hours * 3600.0, 50.0, 0, 99.0)]
    state = GpuState("GPU-1", "h")
    feed(state, first + after)
    same(window(state, state.windows.week), brute_force.week(first + after))
    same(window(state, state.windows.month), brute_force.month(first + after))
    assert state.hour.total(CORRECTED, state.windows.month) == 99.0


def test_a_late_sample_changes_nothing() -> None:
    ticks = [Tick(START + 10.0 * i, 60.0, 0, 0.0) for i in range(20)]
    late = Tick(START + 15.0, 110.0, 0x40, 50.0)
    once, twice = GpuState("GPU-1", "h"), GpuState("GPU-1", "h")
    feed(once, ticks)
    feed(twice, [*ticks, late, ticks[-1]])
    assert once.hour.sums == twice.hour.sums


def test_what_was_never_measured_is_nan_and_never_zero() -> None:
    state = GpuState("GPU-1", "h")
    feed(state, [Tick(START + 10.0 * i, None, None, None) for i in range(1000)])
    found = window(state, state.windows.week)
    assert isnan(found.mean)
    assert isnan(found.share)
    assert found.highest == -inf
    assert found.observed == 10_000.0


def test_a_sample_without_temperature_does_not_hide_its_minute() -> None:
    temps = [80.0, None, 90.0, nan, None, 100.0]
    state = GpuState("GPU-1", "h")
    feed(state, [Tick(START + 10.0 * i, temp, 0, None) for i, temp in enumerate(temps)])
    feed(state, [Tick(START + 60.0, 20.0, 0, None)])
    assert state.hour.highest(TEMP_MAX, state.windows.week) == 90.0
