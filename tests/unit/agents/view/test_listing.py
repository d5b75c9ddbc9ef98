"""Rows of a table: decoded once, in order whatever changed, and never an error."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.view.listing import Listing
from agents.view.rows import AlertRow, FleetTally, StatusRow, by_id, riskiest_first, worst_first
from tests.unit.agents.view.test_rows import row

ORDERS = {"id": by_id, "worst": worst_first, "riskiest": riskiest_first}


def listed(table: dict[bytes, bytes]) -> list[StatusRow]:
    listing = Listing(StatusRow, ORDERS)
    listing.refresh(table)
    assert len(listing) == len(list(listing.rows()))
    return [one for one, _ in listing.entries("id")]


def test_rows_are_decoded_again_only_when_the_table_holds_another_value() -> None:
    listing = Listing(StatusRow, ORDERS)
    first = msgspec.json.encode(row("GPU-1", overall_score=50))
    table = {b"GPU-1": first, b"GPU-2": b"not json", b"GPU-3": b'{"gpu_id": 3}'}
    listing.refresh(table)
    ((one, raw),) = listing.entries("id")
    assert (one.overall_score, raw) == (50, first)
    listing.refresh(table)
    assert next(listing.rows()) is one
    table[b"GPU-1"] = msgspec.json.encode(row("GPU-1", overall_score=40))
    listing.refresh(table)
    assert next(listing.rows()).overall_score == 40
    del table[b"GPU-1"]
    listing.refresh(table)
    assert list(listing.rows()) == []
    assert list(listing.entries("worst")) == []


_CHANGES = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.none() | st.tuples(st.integers(30, 34), st.booleans(), st.sampled_from([0.0, 0.1])),
    ),
    max_size=25,
)


@given(st.lists(_CHANGES, min_size=1, max_size=8))
def test_whatever_changes_the_orders_and_the_tally_are_those_of_a_fresh_sort(
    rounds: list[list[tuple[int, tuple[int, bool, float] | None]]],
) -> None:
    table: dict[bytes, bytes] = {b"x%d" % number: b"{}" for number in range(40)}  # no rows, but many keys
    tally = FleetTally()
    listing = Listing(StatusRow, ORDERS, tally.move)
    for changes in rounds:
        for gpu, change in changes:
            gpu_id = f"GPU-{gpu}" if gpu % 7 else f"host:{gpu}"
            if change is None:
                table.pop(gpu_id.encode(), None)
                continue
            score, missing, risk = change
            fresh = row(gpu_id, overall_score=score, missing=missing, failure_probability_30d=risk)
            table[gpu_id.encode()] = msgspec.json.encode(fresh)
        listing.refresh(table)
        expected = [msgspec.json.decode(value, type=StatusRow) for value in table.values() if value != b"{}"]
        for name, key in ORDERS.items():
            assert [one for one, _ in listing.entries(name)] == sorted(expected, key=key)
        gpus = [one for one in expected if not one.is_host]
        summary = tally.summary(0)
        assert (summary["gpus"], summary["missing"]) == (len(gpus), sum(one.missing for one in gpus))


@pytest.mark.parametrize("time", ["never", "1970-01-01T00:00:00Z", ""])
def test_a_status_without_a_usable_time_is_no_row(time: str) -> None:
    value = msgspec.json.encode({"gpu_id": "g", "host_id": "n", "samples": 1, "last_seen": time})
    assert listed({b"g": value}) == []


@given(st.binary(max_size=200))
def test_any_bytes_in_a_table_are_no_error(value: bytes) -> None:
    listed({b"g": value})
    Listing(AlertRow, {}).refresh({b"g": value})


def test_a_record_nested_deeper_than_the_stack_is_no_row() -> None:
    nested = b'{"evidence": ' + b"[" * 2000 + b"]" * 2000 + b"}"
    assert listed({b"g": nested}) == []
