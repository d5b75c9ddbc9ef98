"""Counters become increments: resets count, one bad read does not."""

from __future__ import annotations

from math import nan

from hypothesis import given
from hypothesis import strategies as st

from models.gpu.counters import COUNTER_SLOTS, LIFETIME, Counters
from models.gpu.slots import DBE, ENERGY, SBE, SBE_AGGREGATE
from schemas.signals import SIGNALS
from tests.unit.models.gpu import brute_force


class Feed:
    """Feeds values by slot; None: the message names the counter but it was not measured."""

    def __init__(self) -> None:
        self.counters = Counters()

    def take(self, values: dict[int, float | None]) -> tuple[dict[int, float], bool, tuple[int, ...]]:
        row = [nan] * len(SIGNALS)
        for slot, value in values.items():
            if value is not None:
                row[slot] = value
        return self.counters.update(row, tuple(sorted(values)))


def totals(slot: int, values: list[float | None]) -> list[float]:
    """Return the increments of one counter fed alone."""
    feed = Feed()
    return [feed.take({slot: value})[0].get(slot, 0.0) for value in values]


VALUES = st.lists(st.one_of(st.none(), st.integers(0, 1000).map(float)), max_size=30)


@given(VALUES)
def test_one_counter_equals_the_plain_rule(values: list[float | None]) -> None:
    assert totals(SBE, values) == brute_force.increments(values)


@given(st.lists(st.integers(0, 50).map(float), min_size=1, max_size=30), st.data())
def test_one_bad_read_of_zero_adds_nothing(steps: list[float], data: st.DataObject) -> None:
    rising: list[float | None] = []
    value = 7.0
    for step in steps:
        value += step
        rising.append(value)
    at = data.draw(st.integers(1, len(rising)))
    with_bad_read = [*rising[:at], 0.0, *rising[at:]]
    if at < len(rising):
        assert sum(totals(SBE, with_bad_read)) == sum(totals(SBE, rising))
    else:
        assert totals(SBE, with_bad_read)[-1] == 0.0


@given(st.integers(1, 10**15).map(float))
def test_the_first_sight_adds_nothing(value: float) -> None:
    assert totals(SBE, [value, value, value]) == [0.0, 0.0, 0.0]


def test_a_confirmed_fall_is_a_reset_with_the_new_value() -> None:
    feed = Feed()
    feed.take({SBE: 100.0})
    assert feed.take({SBE: 3.0}) == ({}, False, ())
    assert feed.take({SBE: 5.0}) == ({SBE: 5.0}, True, ())
    assert feed.counters.epoch == 1
    assert feed.take({SBE: 6.0}) == ({SBE: 1.0}, False, ())


def test_counters_that_fall_together_are_a_reset_at_once() -> None:
    feed = Feed()
    feed.take({SBE: 100.0, ENERGY: 5000.0, DBE: 0.0})
    assert feed.take({SBE: 2.0, ENERGY: 0.0, DBE: 0.0}) == ({SBE: 2.0}, True, ())


def test_a_return_after_an_unmeasured_sample_counts_only_the_excess() -> None:
    feed = Feed()
    feed.take({SBE: 100.0})
    feed.take({SBE: 0.0})
    assert feed.take({SBE: None}) == ({}, False, ())
    assert feed.take({SBE: 101.0}) == ({SBE: 1.0}, False, ())


def test_a_fall_is_confirmed_beyond_messages_that_do_not_name_the_counter() -> None:
    feed = Feed()
    feed.take({SBE: 100.0})
    feed.take({SBE: 0.0})
    feed.take({DBE: 0.0})
    assert feed.take({SBE: 1.0}) == ({SBE: 1.0}, True, ())


def test_a_lifetime_counter_that_falls_is_another_board_and_no_errors() -> None:
    feed = Feed()
    feed.take({SBE_AGGREGATE: 100.0})
    assert feed.take({SBE_AGGREGATE: 4.0}) == ({}, False, ())
    assert feed.take({SBE_AGGREGATE: 4.0}) == ({}, False, (SBE_AGGREGATE,))
    assert feed.take({SBE_AGGREGATE: 5.0}) == ({SBE_AGGREGATE: 1.0}, False, ())


def test_a_lifetime_fall_beside_a_reset_still_waits_for_its_own_confirmation() -> None:
    feed = Feed()
    feed.take({SBE: 10.0, ENERGY: 10.0, SBE_AGGREGATE: 100.0})
    assert feed.take({SBE: 0.0, ENERGY: 0.0, SBE_AGGREGATE: 4.0}) == ({}, True, ())
    assert feed.take({SBE: 0.0, ENERGY: 0.0, SBE_AGGREGATE: 100.0}) == ({}, False, ())


@given(st.lists(st.dictionaries(st.sampled_from(COUNTER_SLOTS), st.integers(0, 9).map(float)), max_size=20))
def test_increments_are_above_zero_and_the_wait_is_bounded(rows: list[dict[int, float]]) -> None:
    feed = Feed()
    for row in rows:
        increments, reset, replaced = feed.take(dict(row))
        assert all(step > 0.0 for step in increments.values())
        assert set(increments) <= set(row)
        assert set(replaced) <= LIFETIME
        assert not reset or feed.counters.epoch > 0
        assert all(feed.counters.seen(slot) for slot in feed.counters.fallen)
