"""A ring gives back what was put into it, and keeps only the columns that tell something."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    KNOWN_SUMS,
    MARGIN,
    OBSERVED,
    SUMS,
    TEMP,
    THERMAL,
    WIDTH,
    Buckets,
    empty_buckets,
)
from models.gpu.ring import Ring

SIZE = 5


def row(**columns: float) -> Buckets:
    """Return a bucket that was observed for an hour."""
    bucket: Buckets = empty_buckets(1)[0]
    bucket[OBSERVED] = 3600.0
    for name, value in columns.items():
        bucket[int(name[1:])] = value
    return bucket


@st.composite
def buckets(draw: st.DrawFn) -> Buckets:
    """Draw a bucket as hours and days close: what is not observed holds nothing, sums are never NaN."""
    bucket: Buckets = empty_buckets(1)[0]
    if draw(st.integers(0, 4)) == 0:
        return bucket
    few = st.sampled_from([0.0, 0.0, 1.0, 2.5, 3600.0])
    for column in range(WIDTH):
        bucket[column] = draw(few if column in SUMS or column == OBSERVED else few | st.just(nan))
    bucket[OBSERVED] = draw(st.sampled_from([10.0, 3600.0]))
    return bucket


DEEDS = st.lists(
    st.tuples(st.sampled_from(["put", "clear", "trim", "fill", "pack"]), st.integers(0, 20), buckets()), max_size=20
)


@settings(max_examples=150)
@given(DEEDS)
def test_a_ring_is_an_array_of_rows(deeds: list[tuple[str, int, Buckets]]) -> None:
    ring, plain = Ring(SIZE), empty_buckets(SIZE)
    for deed, number, bucket in deeds:
        if deed == "put":
            ring.put(number, bucket)
            plain[number % SIZE] = bucket
        elif deed == "clear":
            ring.clear(number)
            plain[number % SIZE] = empty_buckets(1)[0]
        elif deed == "trim":
            ring.trim()
        elif deed == "fill":
            ring.fill(ring.rows())
        else:
            record = b"before" + ring.pack() + b"after"
            ring = Ring(SIZE)
            assert ring.unpack(record, len(b"before")) == len(record) - len(b"after")
        np.testing.assert_array_equal(ring.rows(), plain)
    np.testing.assert_array_equal(ring.rows([3, 12]), plain[[3, 2]])


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({}, (OBSERVED,)),
        ({f"c{THERMAL}": 0.0, f"c{BRAKE}": 0.0}, (OBSERVED,)),
        ({f"c{THERMAL}": 7.0, f"c{BRAKE}": 0.0, f"c{CORRECTED}": 2.0}, (OBSERVED, CORRECTED, THERMAL)),
        ({f"c{THERMAL}": 0.0, f"c{BRAKE}": 0.0, f"c{TEMP}": 0.0}, (OBSERVED, TEMP)),
        ({f"c{THERMAL}": 0.0, f"c{BRAKE}": 0.0, f"c{MARGIN}": nan}, (OBSERVED,)),
    ],
)
def test_a_column_takes_memory_once_it_tells_something(columns: dict[str, float], kept: tuple[int, ...]) -> None:
    ring = Ring(SIZE)
    quiet = {f"c{column}": 0.0 for column in KNOWN_SUMS}
    ring.put(0, row(**quiet))
    assert ring.columns == (OBSERVED,)
    if columns:
        ring.put(1, row(**columns))
        assert ring.columns == kept
        assert ring.block.shape == (len(kept), SIZE)
    ring.clear(1)
    ring.trim()
    assert ring.columns == (OBSERVED,)


def test_rings_that_keep_the_same_columns_share_the_list_of_them() -> None:
    one, other = Ring(SIZE), Ring(SIZE)
    for ring in (one, other):
        ring.put(0, row(c14=5.0))
    assert one.columns is other.columns
