"""The open minute and the open hour by themselves, and what GPUs share."""

from __future__ import annotations

from array import array
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gpu import shared
from models.gpu.columns import (
    CORRECTED,
    EPISODES,
    LOADED,
    MARGIN,
    MARGIN_MIN,
    MEMORY_TEMP_MAX,
    OBSERVED,
    POWER,
    RESIDUAL_COUNT,
    TEMP,
    TEMP_MAX,
    THERMAL,
    UTIL,
)
from models.gpu.counters import COUNTER_SLOTS, PLACE_OF, SLOT_OF
from models.gpu.hour import OpenHour
from models.gpu.minute import COUNT, OpenMinute
from models.gpu.packing import pack_hot
from models.gpu.slots import STATUS_SLOTS
from models.gpu.state import GpuState
from models.gpu.totals import Totals
from schemas.raw import RawMessage
from schemas.sample import plan_of, scaled, to_sample
from schemas.signals import INDEX
from tests.unit.models.health.gpu import START, sample


def test_a_minute_gives_the_hour_its_means_as_extremes() -> None:
    minute, hour = OpenMinute(), OpenHour()
    minute.add(temp=60.0, memory=nan, margin=20.0, load=0.5, power=300.0, clock=1e9)
    minute.add(temp=70.0, memory=nan, margin=nan, load=0.5, power=300.0, clock=1e9)
    minute.close(hour.sums, None, ())
    assert (hour.sums[TEMP_MAX], hour.sums[MARGIN_MIN], hour.sums[MEMORY_TEMP_MAX]) == (65.0, 20.0, -inf)
    assert minute.sums == OpenMinute().sums


@pytest.mark.parametrize(
    ("loads", "minutes"), [((0.9, 0.9), 1.0), ((0.9, 0.75), 0.0), ((0.05, 0.05), 0.0), ((), 0.0)]
)
def test_a_load_model_judges_steady_load_alone(loads: tuple[float, ...], minutes: float) -> None:
    minute, hour = OpenMinute(), OpenHour()
    for load in loads:
        minute.add(temp=60.0, memory=nan, margin=nan, load=load, power=300.0, clock=1e9)
    minute.close(hour.sums, lambda watts, load, clock, lasting: 3.0, ())
    assert hour.sums[RESIDUAL_COUNT] == minutes


def test_what_an_hour_was_not_told_does_not_weigh() -> None:
    hour, totals = OpenHour(), Totals()
    hour.add(10.0, temp=60.0, memory=nan, margin=nan, load=0.9, power=300.0)
    hour.add(30.0, temp=nan, memory=nan, margin=nan, load=0.05, power=nan)
    assert hour.sums[OBSERVED] == 40.0
    assert (hour.mean(TEMP, totals), hour.mean(POWER, totals)) == (60.0, 300.0)
    assert hour.mean(UTIL, totals) == pytest.approx((9.0 + 1.5) / 40.0)
    assert isnan(hour.mean(MARGIN, totals))
    assert hour.known_seconds(MARGIN, totals) == 0.0
    assert hour.sums[LOADED] == 10.0


def test_throttling_counts_episodes_and_the_time_that_told() -> None:
    hour, totals = OpenHour(), Totals()
    for time, thermal in ((0.0, 5.0), (100.0, 5.0), (399.0, 5.0), (700.0, 5.0), (710.0, nan)):
        hour.add(10.0, nan, nan, nan, nan, nan)
        hour.add_throttling(10.0, thermal, nan, time)
    assert (hour.sums[THERMAL], hour.sums[EPISODES]) == (20.0, 2.0)
    assert hour.share(THERMAL, totals) == 20.0 / 50.0


def test_a_closed_hour_leaves_an_empty_one() -> None:
    hour = OpenHour()
    hour.add(3600.0, temp=60.0, memory=70.0, margin=nan, load=0.9, power=300.0)
    hour.add_throttling(3600.0, 36.0, 0.0, 0.0)
    hour.sums[CORRECTED] = 4.0
    hour.samples, hour.gap_seconds = 3, 5.0
    closed = hour.close(7)
    assert (closed.hour, closed.samples, closed.gap_seconds) == (7, 3, 5.0)
    assert (float(closed.row[TEMP]), float(closed.row[THERMAL])) == (60.0, 36.0)
    assert isnan(closed.row[MARGIN])
    assert (hour.last_thermal_ratio, hour.last_corrected) == (0.01, 4.0)
    assert (hour.sums, hour.samples, hour.gap_seconds) == (OpenHour().sums, 0, 0.0)


@pytest.mark.parametrize("kind", [OpenMinute, OpenHour])
def test_a_part_takes_back_the_blocks_it_gave(kind: type[OpenMinute] | type[OpenHour]) -> None:
    part, again = kind(), kind()
    part.add(10.0, 60.0, 70.0, 20.0, 0.9, 300.0)
    numbers = array("d", part.pack())
    blocks = []
    for count in kind.BLOCKS:
        blocks.append(numbers[:count])
        numbers = numbers[count:]
    again.unpack(blocks)
    assert again.sums == part.sums
    assert again.pack() == part.pack()


def test_every_counter_has_a_place() -> None:
    assert sorted(SLOT_OF) == sorted(COUNTER_SLOTS)
    assert [PLACE_OF[slot] for slot in SLOT_OF] == list(range(len(SLOT_OF)))


def test_between_two_samples_a_state_has_no_values_but_those_of_its_status() -> None:
    state = GpuState("GPU-1", "host-1")
    one = sample(START, {"gpu_temp_celsius": 61.5, "gpu_temp_slowdown_celsius": 89.0})
    state.update(one)
    assert state.values is one.values
    state.settle()
    assert all(isnan(value) for value in state.values)
    shown = {slot: value for slot, value in zip(STATUS_SLOTS, state.status_values, strict=True) if value == value}
    assert shown == {INDEX["gpu_temp_celsius"]: 61.5}
    state.settle()  # events alone come between two samples
    assert state.status_values[0] == 61.5


# What a sample changes, of names whose shape is known: counters, an energy that falls or is missing, a lasting value.
_still_steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 2.0]),  # corrected errors
        st.sampled_from([10.0, 20.0, 5.0]),  # energy
        st.sampled_from([0.0, 1.0]),  # remap failure
        st.sampled_from([0.0, 1.0]),  # ECC mode
        st.booleans(),  # by a shape
    ),
    max_size=12,
)


@given(_still_steps)
def test_what_stands_still_need_not_be_looked_at(steps: list[tuple[float, float, float, float, bool]]) -> None:
    names = ("ecc_sbe_volatile_total", "energy_joules_total", "row_remap_failed", "ecc_mode")
    plan = plan_of(names)
    quick, exact = GpuState("GPU-1", "host-1"), GpuState("GPU-1", "host-1")
    for index, (*numbers, shaped) in enumerate(steps):
        at = START + 10.0 * index
        raw = RawMessage(gpu_id="GPU-1", timestamp=at, metrics=dict(zip(names, numbers, strict=True)))
        fitted = (plan, scaled(plan, numbers), plan.still(numbers)) if shaped else None
        quick.update(to_sample(raw, at, fitted))
        exact.update(to_sample(raw, at))
        for state in (quick, exact):
            state.settle()
        assert repr(quick.counters.last) == repr(exact.counters.last)
        assert (quick.increments, quick.reset_seen, quick.replaced) == (
            exact.increments,
            exact.reset_seen,
            exact.replaced,
        )
        assert (repr(quick.lasting), quick.lasting_changes) == (repr(exact.lasting), exact.lasting_changes)
        assert pack_hot(quick) == pack_hot(exact)


def test_a_lasting_value_counts_as_changed_once() -> None:
    state = GpuState("GPU-1", "host-1")
    for index, failed in enumerate((0.0, 0.0, None, 0.0, 1.0)):
        state.update(sample(START + 10.0 * index, {"row_remap_failed": failed, "gpu_temp_slowdown_celsius": 89.0}))
    assert state.lasting_changes == 2
    assert state.lasting[INDEX["row_remap_failed"]] == 1.0
    assert state.lasting[INDEX["gpu_temp_slowdown_celsius"]] == 89.0


def test_gpus_that_are_alike_share_what_lasts_and_their_labels() -> None:
    one, other = GpuState("GPU-1", "host-1"), GpuState("GPU-2", "host-1")
    for state in (one, other):
        state.update(sample(START, {"gpu_temp_slowdown_celsius": 88.5}, labels={"model": "NVIDIA H100"}))
    assert one.lasting is other.lasting
    assert one.labels is other.labels
    other.update(sample(START + 10.0, {"gpu_temp_slowdown_celsius": 87.5}, labels={"model": "NVIDIA H200"}))
    assert one.lasting[INDEX["gpu_temp_slowdown_celsius"]] == 88.5
    assert one.labels == {"model": "NVIDIA H100"}


def test_what_nobody_shares_does_not_fill_the_memory() -> None:
    for index in range(shared.LIMIT + 10):
        shared.shared_labels({"uuid": str(index)})
    assert len(shared.labels_known) <= shared.LIMIT


def test_the_samples_of_an_open_minute_are_counted() -> None:
    minute = OpenMinute()
    minute.add(nan, nan, nan, nan, nan, nan)
    assert minute.sums[COUNT] == 1.0
