"""A sample to a row and back: the very same sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.store.raw_rows import (
    GUIDE_COLUMNS,
    METRICS_COLUMNS,
    METRICS_TABLE,
    RAW_EVENT_COLUMNS,
    RAW_EVENTS_TABLE,
    SIGNAL_COLUMNS,
    LabelMemory,
    metrics_message,
    raw_event_message,
    sample_row,
)
from schemas.raw import decode
from schemas.sample import Sample, to_sample
from schemas.signals import ALIASES, SIGNALS

APPENDED = 1_770_638_401.125


@dataclass
class Stored:
    table: str
    values: dict[str, Any]


def stored(sample: Sample, memory: LabelMemory | None = None) -> Stored:
    row = sample_row(sample, memory or LabelMemory())
    columns = METRICS_COLUMNS if row.table == METRICS_TABLE else RAW_EVENT_COLUMNS
    values: dict[str, Any] = dict(zip(columns, row.values, strict=True))
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = msgspec.json.decode(value)
    return Stored(row.table, values)


def read_back(row: Stored) -> Sample:
    if row.table == RAW_EVENTS_TABLE:
        message = raw_event_message(row.values)
    else:
        message = metrics_message(row.values, row.values["labels"])
    return to_sample(decode(message), row.values["appended_at"].timestamp())


def same(one: Sample, other: Sample) -> bool:
    first, second = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    for sample in (first, second):
        sample["values"] = ["not measured" if math.isnan(value) else value for value in sample["values"]]
        sample["blanks"] = set(sample["blanks"])
        for names in ("counters", "lasting"):  # which of the names came without a value is not stored
            sample[names] = {index for index in sample[names] if sample["values"][index] != "not measured"}
    return first == second


def message(**fields: Any) -> bytes:
    given_fields = {"gpu_id": "GPU-1", "host_id": "h1", "timestamp": "2026-02-09T12:00:00.123456Z"} | fields
    return msgspec.json.encode(given_fields)


FULL: dict[str, Any] = {
    "metrics": {
        "DCGM_FI_DEV_GPU_TEMP": 65.5,
        "DCGM_FI_DEV_MEMORY_TEMP": 0,
        "DCGM_FI_DEV_GPU_UTIL": 57,
        "DCGM_FI_DEV_MEM_COPY_UTIL": 29,
        "DCGM_FI_DEV_SM_CLOCK": 1980,
        "DCGM_FI_DEV_FB_USED": 71_234,
        "DCGM_FI_DEV_FB_TOTAL": 81_559,
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 123_456_789_012.0,
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 4,
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 9_007_199_254_740_993,
        "DCGM_FI_DEV_XID_ERRORS": None,
        "DCGM_FI_DEV_FAN_SPEED": 9_223_372_036_854_775_794,
        "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL": 5,
        "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L7": 3,
        "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L11": 8,
    },
    "labels": {"model": "NVIDIA H100 80GB HBM3", "pod": 'a "quoted"\nname', "history": "true"},
    "events": [
        {"type": "xid", "code": 48, "pci_bus_id": "0000:3b:00", "line": "NVRM: Xid", "timestamp": 1770638399.5},
        {"type": "xid", "code": None, "line": ""},
    ],
    "interval_seconds": 10,
    "source": "dcgm",
}


def test_a_full_message_comes_back_as_the_same_sample() -> None:
    sample = to_sample(decode(message(**FULL)), APPENDED)
    assert sample.links
    assert sample.blanks
    assert sample.history
    row = stored(sample)
    assert row.table == METRICS_TABLE
    assert same(read_back(row), sample)


def test_the_guides_columns_have_the_guides_units() -> None:
    row = stored(to_sample(decode(message(**FULL)), APPENDED)).values
    assert (row["util_gpu"], row["util_memory"], row["clock_gpu"]) == (57.0, 29.0, 1980.0)
    assert (row["memory_used"], row["memory_total"], row["temp_gpu"]) == (71_234.0, 81_559.0, 65.5)
    assert row["temp_memory"] is None
    assert "memory_temp_celsius" in row["blanks"]
    assert row["exact_values"] is None


def test_a_value_that_the_guides_unit_cannot_give_back_is_kept_exactly() -> None:
    sample = to_sample(decode(message(metrics={"gpu_util_ratio": 0.123456789012345})), APPENDED)
    row = stored(sample)
    assert row.values["exact_values"] == {"gpu_util_ratio": 0.123456789012345}
    assert same(read_back(row), sample)


@given(st.dictionaries(st.sampled_from(sorted(ALIASES)), st.floats(-50, 1e13, allow_nan=False), max_size=30))
def test_any_values_under_any_names_come_back_the_same(metrics: dict[str, float]) -> None:
    sample = to_sample(decode(message(metrics=metrics)), APPENDED)
    back = read_back(stored(sample))
    # What was refused or unknown is counted, not stored.
    sample = msgspec.structs.replace(sample, unknown=0, dropped=())
    assert same(msgspec.structs.replace(back, unknown=0, dropped=()), sample)


def test_events_alone_and_host_facts_have_their_own_table() -> None:
    for fields in (
        {"metrics": {}, "events": FULL["events"]},
        {
            "gpu_id": "host:h1",
            "metrics": {"gpu_count": 8, "scrape_ok": 0},
            "events": [{"type": "sxid", "code": 20034}],
        },
    ):
        sample = to_sample(decode(message(**fields)), APPENDED)
        row = stored(sample)
        assert row.table == RAW_EVENTS_TABLE
        assert same(read_back(row), sample)


def test_the_same_event_message_has_the_same_id() -> None:
    first = stored(to_sample(decode(message(metrics={}, events=FULL["events"])), APPENDED))
    again = stored(to_sample(decode(message(metrics={}, events=FULL["events"])), APPENDED + 60))
    other = stored(to_sample(decode(message(metrics={}, events=FULL["events"][:1])), APPENDED))
    assert first.values["event_id"] == again.values["event_id"] != other.values["event_id"]


def test_labels_are_stored_once_a_day_and_named_in_every_row() -> None:
    memory = LabelMemory()
    times = ["2026-02-09T12:00:00Z", "2026-02-09T12:00:10Z", "2026-02-10T00:00:00Z", "2026-02-09T23:59:59Z"]
    labels = {"pod": "a"}
    rows = [
        stored(to_sample(decode(message(timestamp=at, metrics={"temp_gpu": 1}, labels=labels)), APPENDED), memory)
        for at in times
    ]
    assert [row.values["labels"] for row in rows] == [labels, None, labels, labels]
    assert len({row.values["labels_digest"] for row in rows}) == 1
    changed = stored(to_sample(decode(message(metrics={"temp_gpu": 1}, labels={"pod": "b"})), APPENDED), memory)
    assert changed.values["labels"] == {"pod": "b"}
    assert changed.values["labels_digest"] != rows[0].values["labels_digest"]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_every_signal_has_one_column_and_a_name_that_reads_it(signal: Any) -> None:
    assert METRICS_COLUMNS.count(signal.column) == 1
    alias = ALIASES[signal.name if signal.column_factor == 1.0 else signal.column]
    assert alias.signal is signal
    assert alias.factor * signal.column_factor == pytest.approx(1.0, rel=1e-9)
    assert ALIASES[signal.name].factor == 1.0


def test_the_guides_columns_come_first_in_its_order() -> None:
    columns = [signal.column for signal in SIGNAL_COLUMNS]
    assert columns[: len(GUIDE_COLUMNS) - 1] == [name for name in GUIDE_COLUMNS if name != "temp_hotspot"]
