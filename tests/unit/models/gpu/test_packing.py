"""Packed state goes on where it stood, also a record of an older version or of fewer columns."""

from __future__ import annotations

from array import array
from itertools import accumulate
from math import isnan
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.gpu import packing
from models.gpu.columns import COLUMNS, LINK_ERRORS, OBSERVED, TEMP, THERMAL
from models.gpu.counters import PINNED_COUNTERS, SLOT_OF
from models.gpu.slots import SBE
from models.gpu.state import GpuState
from schemas.signals import INDEX
from tests.unit.models.gpu import story
from tests.unit.models.gpu.story import SAMPLES, Packed, through, time_of
from tests.unit.models.health.gpu import sample

STATE, RECORDS = through()
VERSION_1 = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "state_version_1").iterdir()}


def plain(state: GpuState) -> str:
    """Return in words all that is kept of a GPU but for its windows."""
    names = (
        *("first_time", "first_append_time", "time", "append_time", "interval_seconds", "xid_gauge", "samples"),
        *("loaded_seconds", "energy_time", "late_samples", "labels", "lasting", "digests", "host_id"),
    )
    hour, minute, counters = state.hour, state.minute, state.counters
    parts = (
        *(minute.number, minute.sums, counters.epoch, counters.last, counters.fallen),
        *(hour.sums, hour.samples, hour.gap_seconds, hour.last_thermal_ratio, hour.last_corrected, hour.episode_end),
        *([(kind, item.last_at, item.loaded_mark) for kind, item in state.evidence.items()],),
    )
    return "\n".join(repr(part) for part in (*(getattr(state, name) for name in names), *parts))


def assert_alike(found: GpuState, expected: GpuState) -> None:
    """Compare all that is kept of a GPU."""
    assert plain(found) == plain(expected)
    assert (found.windows.hour, found.windows.day) == (expected.windows.hour, expected.windows.day)
    for name in ("hours", "days"):
        left, right = getattr(found.windows, name), getattr(expected.windows, name)
        np.testing.assert_array_equal(left.rows(), right.rows())
        assert left.columns == right.columns
    for name in ("week", "month"):
        left, right = getattr(found.windows, name), getattr(expected.windows, name)
        assert (list(left.sums), list(left.seconds)) == (list(right.sums), list(right.seconds))


@pytest.mark.parametrize("records", [RECORDS, VERSION_1], ids=["this version", "version 1"])
def test_a_record_restores_the_state_that_was_packed(records: Packed) -> None:
    found = story.restored(records)
    assert_alike(found, STATE)
    assert found.counters.fallen == {INDEX["energy_joules_total"]: 0.0}
    assert len(found.pending_rows) == 2


@pytest.mark.parametrize("records", [RECORDS, VERSION_1], ids=["this version", "version 1"])
def test_a_restored_state_goes_on_as_if_nothing_had_happened(records: Packed) -> None:
    found, (expected, _) = story.restored(records), through()
    for index in range(SAMPLES + 1, SAMPLES + 400):
        for state in (found, expected):
            state.update(
                sample(time_of(index), story.metrics(index), interval=60.0, labels=story.LABELS), story.residual
            )
    assert_alike(found, expected)


def test_a_state_of_version_1_is_packed_in_this_one() -> None:
    found = story.restored(VERSION_1)
    assert [VERSION_1["hot"][0], VERSION_1["window"][0]] == [1, 1]
    assert msgspec.msgpack.decode(VERSION_1["evidence"])["version"] == 1
    assert packing.pack_hot(found) == RECORDS["hot"]
    assert msgspec.msgpack.decode(packing.pack_evidence(found))["version"] == packing.VERSION
    again = story.restored({"window": packing.pack_window(found)})
    np.testing.assert_array_equal(again.windows.hours.rows(), STATE.windows.hours.rows())


def test_a_window_record_takes_what_its_columns_take() -> None:
    assert len(RECORDS["window"]) < len(VERSION_1["window"])
    quiet = GpuState("GPU-1", "")
    assert len(packing.pack_window(quiet)) == 1 + 8 + 2


def shortened(record: bytes, places: dict[int, int]) -> bytes:
    """Return a hot record as a version wrote it that had ``places[block]`` fewer numbers in a block."""
    start = 1 + len(packing.BLOCKS) + 1
    counts = list(record[1:start])
    numbers = array("d", record[start:])
    ends = list(accumulate(counts))
    blocks = [numbers[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    for block, fewer in places.items():
        blocks[block] = blocks[block][:-fewer]
        counts[block] -= fewer
    return bytes((record[0], *counts)) + b"".join(block.tobytes() for block in blocks)


def test_a_hot_record_of_fewer_columns_and_counters_loads() -> None:
    # Blocks: the state's, the minute's, the hour's rest, its columns, its untold seconds, epoch, counters, fallen.
    assert packing.BLOCKS[3] == len(COLUMNS)
    assert packing.BLOCKS[6] == len(PINNED_COUNTERS)
    found = story.restored({"hot": shortened(RECORDS["hot"], {3: 1, 4: 2, 6: 3})})
    assert found.hour.sums[:LINK_ERRORS] == STATE.hour.sums[:LINK_ERRORS]
    assert found.hour.sums[LINK_ERRORS] == 0.0
    # The last two untold seconds are those of throttling: nothing told of it then.
    assert STATE.hour.known_seconds(THERMAL, GpuState("", "").windows.week) > 0.0
    assert isnan(found.hour.share(THERMAL, GpuState("", "").windows.week))
    assert [found.counters.seen(slot) for slot in SLOT_OF[-3:]] == [False] * 3
    assert found.counters.last[:-3] == pytest.approx(STATE.counters.last[:-3], nan_ok=True)
    assert found.counters.seen(SBE)
    assert found.counters.fallen == STATE.counters.fallen


def test_a_window_record_of_fewer_columns_loads() -> None:
    older = GpuState("GPU-1", "")
    rows = STATE.windows.hours.rows()
    rows[:, LINK_ERRORS] = 0.0  # the last column
    older.windows.hours.fill(rows)
    older.windows.hour, older.windows.day = STATE.windows.hour, STATE.windows.day
    record = packing.pack_window(older)
    assert LINK_ERRORS not in record[10 : 10 + record[9]]
    found = story.restored({"window": record})
    np.testing.assert_array_equal(found.windows.hours.rows(), rows)


def test_evidence_of_fewer_columns_and_other_signals_loads() -> None:
    content = msgspec.msgpack.decode(RECORDS["evidence"])
    content["lasting"] = {"gpu_temp_slowdown_celsius": 89.0, "a_signal_that_left": 1.0}
    content["pending_rows"] = [[hour, row[:-4], opened] for hour, row, opened in content["pending_rows"]]
    found = story.restored({**RECORDS, "evidence": msgspec.msgpack.encode(content)})
    assert [row.shape for _, row, _ in found.pending_rows] == [(len(COLUMNS),)] * 2
    assert found.pending_rows[0][1][OBSERVED] == STATE.pending_rows[0][1][OBSERVED]
    assert found.pending_rows[0][1][LINK_ERRORS] == 0.0
    assert found.windows.hour == STATE.windows.hour
    assert found.hour.mean(TEMP, found.windows.week) == STATE.hour.mean(TEMP, STATE.windows.week)
    assert found.lasting[INDEX["gpu_temp_slowdown_celsius"]] == 89.0
    assert isnan(found.lasting[INDEX["row_remap_failed"]])


@pytest.mark.parametrize("kind", ["hot", "window"])
@pytest.mark.parametrize("version", [packing.VERSION + 1, 255])
def test_the_version_is_read_before_anything_else(kind: str, version: int) -> None:
    unpack = packing.unpack_hot if kind == "hot" else packing.unpack_window
    with pytest.raises(packing.StateVersionError, match=f"version {version}; this program reads up to"):
        unpack(GpuState("GPU-1", ""), bytes((version,)))


def test_evidence_of_a_newer_version_is_refused() -> None:
    record = msgspec.msgpack.encode({"version": packing.VERSION + 1})
    with pytest.raises(packing.StateVersionError, match="this program reads up to"):
        packing.unpack_evidence(GpuState("GPU-1", ""), record)


def test_a_restored_state_knows_no_values_until_a_sample_comes() -> None:
    assert all(value != value for value in story.restored(RECORDS).values)
