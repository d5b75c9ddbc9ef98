"""Samples: names by field id, three states, units once."""

from __future__ import annotations

from math import isnan
from typing import Any

import orjson
import pytest

from models.gpu.counters import Counters
from schemas.raw import decode
from schemas.sample import Sample, to_sample
from schemas.signals import ALIASES, INDEX, SIGNALS


def sample(metrics: dict[str, Any], **more: Any) -> Sample:
    message = {"gpu_id": "GPU-1", "host_id": "h", "timestamp": 1770638400, "metrics": metrics, **more}
    return to_sample(decode(orjson.dumps(message)), 1770638401.0)


def value(taken: Sample, name: str) -> float:
    return taken.values[INDEX[name]]


@pytest.mark.parametrize(
    ("name", "raw", "signal", "expected"),
    [
        ("DCGM_FI_DEV_GPU_TEMP", 65, "gpu_temp_celsius", 65.0),
        ("DCGM_FI_DEV_GPU_TEMP_CELSIUS", 65, "gpu_temp_celsius", 65.0),
        ("dcgm_gpu_temp", 65, "gpu_temp_celsius", 65.0),
        ("temp_gpu", 65, "gpu_temp_celsius", 65.0),
        ("DCGM_FI_DEV_MEM_TEMP", 70, "memory_temp_celsius", 70.0),
        ("DCGM_FI_DEV_POWER_LIMIT", 700, "power_limit_enforced_watts", 700.0),
        ("nvmlDeviceGetPowerUsage", 310700, "power_usage_watts", 310.7),
        ("DCGM_FI_DEV_BOARD_POWER_WATTS", 310.7, "power_usage_watts", 310.7),
        ("DCGM_FI_DEV_GPU_UTIL", 95, "gpu_util_ratio", 0.95),
        ("DCGM_FI_DEV_GPU_UTIL_RATIO", 95, "gpu_util_ratio", 0.95),  # DCGM 4.6.0 still sends percent
        ("gpu_util_ratio", 0.95, "gpu_util_ratio", 0.95),
        ("util_gpu", 95, "gpu_util_ratio", 0.95),
        ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 5551899580, "energy_joules_total", 5551899.58),
        ("DCGM_FI_DEV_SM_CLOCK", 1980, "sm_clock_hertz", 1.98e9),
        ("DCGM_FI_DEV_FB_USED", 40000, "fb_used_bytes", 40000 * 1048576),
        ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", 4, "clocks_event_reasons", 4.0),
        (
            "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS",
            2_147_483_648,
            "hw_thermal_slowdown_seconds_total",
            2.147483648,
        ),
        ("DCGM_FI_DEV_XID_ERROR", 79, "xid_last", 79.0),
    ],
)
def test_every_name_is_an_alias_of_its_field(name: str, raw: float, signal: str, expected: float) -> None:
    taken = sample({name: raw})
    assert value(taken, signal) == pytest.approx(expected)
    assert taken.unknown == 0
    assert sum(1 for number in taken.values if not isnan(number)) == 1


@pytest.mark.parametrize(
    "blank",
    [2147483632, 2147483635, 9223372036854775794, 9223372036854775808.0, 140737488355328.0, None, "", "N/A"]
    + ["[N/A]", "<<<NOT_SUPPORTED>>>", "ERROR - FAILED TO CONVERT TO STRING"],
)
def test_blanks_are_blank_never_zero(blank: Any) -> None:
    taken = sample({"DCGM_FI_DEV_MEMORY_TEMP": blank, "DCGM_FI_DEV_GPU_TEMP": 40})
    assert isnan(value(taken, "memory_temp_celsius"))
    assert taken.blanks == (INDEX["memory_temp_celsius"],)
    assert value(taken, "gpu_temp_celsius") == 40.0
    assert taken.dropped == ()


@pytest.mark.parametrize("blank", [2147483632, 2147483634, *range(2**47, 2**47 + 4), 2**63 - 16, 2**63 - 13])
def test_a_blank_counter_is_blank_and_never_an_increment(blank: int) -> None:
    counter = INDEX["ecc_dbe_volatile_total"]
    counters = Counters()
    for given in (0, blank, 0, blank, 0):
        taken = sample({"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": given, "DCGM_FI_DEV_GPU_TEMP": 40})
        assert taken.blanks == (() if given == 0 else (counter,))
        assert counters.update(taken.values, taken.counters) == ({}, False, ())


def test_a_negative_reading_taken_as_unsigned_is_negative() -> None:
    taken = sample({"NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT": 4294967294, "DCGM_FI_DEV_GPU_TEMP": 40})
    assert value(taken, "gpu_temp_slowdown_margin_celsius") == -2.0
    assert taken.dropped == ()


def test_absent_is_neither_blank_nor_zero() -> None:
    taken = sample({"DCGM_FI_DEV_GPU_TEMP": 40})
    assert isnan(value(taken, "ecc_sbe_volatile_total"))
    assert taken.blanks == ()


def test_a_wild_value_is_dropped_and_counted() -> None:
    taken = sample({"DCGM_FI_DEV_GPU_UTIL": 4294967295, "DCGM_FI_DEV_GPU_TEMP": 40})
    assert taken.dropped == (("DCGM_FI_DEV_GPU_UTIL", "out_of_range"),)
    assert isnan(value(taken, "gpu_util_ratio"))


def test_memory_temperature_of_zero_is_a_missing_sensor() -> None:
    taken = sample({"DCGM_FI_DEV_MEMORY_TEMP": 0})
    assert isnan(value(taken, "memory_temp_celsius"))
    assert taken.blanks == (INDEX["memory_temp_celsius"],)


def test_ecc_off_makes_every_ecc_zero_unmeasured() -> None:
    taken = sample({"DCGM_FI_DEV_ECC_CURRENT": 0, "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0})
    assert isnan(value(taken, "ecc_dbe_volatile_total"))


def test_unknown_names_are_counted_and_links_are_kept_apart() -> None:
    taken = sample({"DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L7": 3, "SOMETHING_NEW": 1, "DCGM_FI_DEV_GPU_TEMP": 40})
    assert taken.unknown == 1
    assert taken.links == {7: {INDEX["nvlink_replay_errors_total"]: 3.0}}


def test_host_messages_keep_their_facts() -> None:
    message = {"gpu_id": "host:n1", "timestamp": 1770638400, "metrics": {"exporter_up": 0, "gpu_count": 8}}
    taken = to_sample(decode(orjson.dumps(message)), 1.0)
    assert taken.is_host
    assert taken.host_id == "n1"
    assert taken.host_facts == {"exporter_up": 0.0, "gpu_count": 8.0}


def test_an_event_without_a_clock_happened_when_it_was_told() -> None:
    taken = sample({}, events=[{"type": "xid", "code": 79, "timestamp": "soon"}, {"type": "xid", "code": 48}])
    assert [event.time for event in taken.events] == [1770638400.0, 1770638400.0]
    assert not taken.has_metrics


def test_table_is_whole() -> None:
    assert len({signal.name for signal in SIGNALS}) == len(SIGNALS)
    assert len({signal.column for signal in SIGNALS}) == len(SIGNALS)
    ids = [signal.field_id for signal in SIGNALS if signal.field_id is not None]
    assert len(set(ids)) == len(ids)
    units = (
        "_celsius",
        "_watts",
        "_joules_total",
        "_seconds_total",
        "_bytes",
        "_hertz",
        "_ratio",
        "_total",
        "_per_second",
    )
    plain = {"state", "mask"}
    for signal in SIGNALS:
        assert signal.low <= signal.high
        assert ALIASES[signal.name].factor == 1.0
        counts = ("bank_remap", "xid_window", "clock_event_window", "pcie_max")
        assert signal.kind in plain or signal.name.endswith(units) or signal.name.startswith(counts), signal.name


@pytest.mark.parametrize("first", ["DCGM_FI_DEV_GPU_TEMP", "temp_gpu"])
@pytest.mark.parametrize("value", [None, "N/A", 2147483632.0, 61.0])
def test_of_two_names_of_a_signal_the_tables_first_that_is_measured_counts(first: str, value: Any) -> None:
    other = {"DCGM_FI_DEV_GPU_TEMP": "temp_gpu", "temp_gpu": "DCGM_FI_DEV_GPU_TEMP"}[first]
    given = {"DCGM_FI_DEV_GPU_TEMP": value, "temp_gpu": 70.0}
    metrics = {first: given[first], other: given[other]}
    found = sample(metrics)
    index = INDEX["gpu_temp_celsius"]
    assert found.values[index] == (61.0 if value == 61.0 else 70.0)
    assert index not in found.blanks
