"""The simulated fleet: the same for the same seed, physically consistent, healthy but for its faults."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from collectors.simulator.faults import KINDS, Fault, parse_faults
from collectors.simulator.fleet import fleet_assets, make_fleet
from collectors.simulator.world import GUIDE_NAMES, Format, Record, World
from models.gpu.slots import BENIGN_MASK
from schemas.raw import decode
from schemas.sample import to_sample
from schemas.signals import ALIASES

START = 1795526400.0
MINUTES = [START + 60.0 * step for step in range(60)]


def world(gpus: int = 8, faults: str = "none", seed: int = 1, form: Format = "full") -> World:
    fleet = make_fleet(seed, gpus)
    return World(fleet, parse_faults(faults, seed=seed, gpus=gpus, live_start=START), form)


def told(records: Iterable[Record], gpu_id: str) -> list[dict[str, Any]]:
    return [orjson.loads(value) for key, value in records if key.decode() == gpu_id]


def hour(of: World, gpu: int) -> list[dict[str, float]]:
    records = of.samples(MINUTES, interval_seconds=60.0)
    return [message["metrics"] for message in told(records, of.fleet.gpus[gpu].gpu_id)]


def test_a_sample_depends_on_seed_gpu_and_time_alone() -> None:
    alone = list(world(8).samples([START + 60.0], interval_seconds=10.0))
    among = list(world(50).samples([START, START + 60.0], interval_seconds=10.0))
    assert set(alone) <= set(among)
    other = list(world(8, seed=2).samples([START + 60.0], interval_seconds=10.0))
    assert not set(alone) & set(other)


def test_every_message_decodes_without_a_dropped_or_unknown_value() -> None:
    of = world(50, "default")
    for _, value in of.samples([START - 3_600.0, START + 100.0], interval_seconds=10.0):
        sample = to_sample(decode(value), START)
        assert sample.unknown == 0, value
        assert sample.dropped == (), value
        assert sample.labels["simulated"] == "true"
        assert len(value) < 4_500


def test_all_signals_of_a_message_have_their_own_signal() -> None:
    (message, *_) = told(world().samples([START], interval_seconds=10.0), make_fleet(1, 1).gpus[0].gpu_id)
    assert len({ALIASES[name].signal.name for name in message["metrics"]}) == len(message["metrics"]) >= 75


def test_counters_never_fall() -> None:
    of = world(8, "ecc_trend@1@-7200,hot_gpu@2@-7200,throttling@3@-7200,power_instability@4@-7200")
    names = [name for name, alias in ALIASES.items() if alias.signal.kind == "counter"]
    for gpu in range(8):
        for before, after in pairwise(hour(of, gpu)):
            for name in names:
                if name in before:
                    assert after[name] >= before[name], (gpu, name)


@pytest.mark.parametrize("faults", ["none", "power_instability@0@-7200", "throttling@0@-7200"])
def test_energy_is_the_integral_of_power(faults: str) -> None:
    of = world(8, faults)
    seconds = [START + 10.0 * step for step in range(360)]
    messages = told(of.samples(seconds, interval_seconds=10.0), of.fleet.gpus[0].gpu_id)
    power = [message["metrics"]["DCGM_FI_DEV_POWER_USAGE"] for message in messages]
    energy = [message["metrics"]["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"] / 1e3 for message in messages]
    mean = (energy[-1] - energy[0]) / (seconds[-1] - seconds[0])
    assert mean == pytest.approx(sum(power) / len(power), rel=0.03)


def test_healthy_gpus_stay_within_their_limits() -> None:
    of = world(50)
    days = [START - 7 * 86_400.0 + 3_600.0 * step for step in range(7 * 24)]
    busy = 0
    for _, value in of.samples(days, interval_seconds=300.0):
        metrics = orjson.loads(value)["metrics"]
        assert metrics["DCGM_FI_DEV_GPU_TEMP"] <= 75.0
        assert metrics["DCGM_FI_DEV_MEMORY_TEMP"] <= 90.0
        assert int(metrics["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]) & ~BENIGN_MASK == 0
        assert metrics["DCGM_FI_DEV_XID_ERRORS"] == 0.0
        busy += metrics["DCGM_FI_DEV_GPU_UTIL"] > 80.0
    assert 0.3 < busy / (50 * len(days)) < 0.8


def test_a_warm_slot_is_warmer_at_equal_work() -> None:
    of = world(8, ",".join(f"power_instability@{gpu}@999999" for gpu in range(8)))
    heat = [sum(metrics["DCGM_FI_DEV_GPU_TEMP"] for metrics in hour(of, gpu)) / 60 for gpu in range(8)]
    assert min(heat[gpu] for gpu in (0, 3, 4, 6)) > max(heat[gpu] for gpu in (1, 2, 5, 7)) + 3.0


@pytest.mark.parametrize(
    ("fault", "name", "low", "high"),
    [
        ("hot_gpu", "DCGM_FI_DEV_GPU_TEMP", 85.0, 88.0),
        ("throttling", "DCGM_FI_DEV_GPU_TEMP", 83.0, 87.0),
        ("ecc_uncorrected", "DCGM_FI_DEV_ROW_REMAP_PENDING", 1.0, 1.0),
        ("ecc_uncorrected", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 1.0, 1.0),
        ("ecc_uncorrected", "DCGM_FI_DEV_XID_ERRORS", 94.0, 94.0),
        ("remap_failed", "DCGM_FI_DEV_ROW_REMAP_FAILURE", 1.0, 1.0),
        ("remap_failed", "DCGM_FI_DEV_XID_ERRORS", 64.0, 64.0),
    ],
)
def test_what_a_fault_shows(fault: str, name: str, low: float, high: float) -> None:
    of = world(8, f"{fault}@1@-20000")
    for metrics in hour(of, 1):
        assert low <= metrics[name] <= high
    assert all(metrics[name] < low for metrics in hour(of, 2))


def test_corrected_errors_grow_past_a_hundred_an_hour() -> None:
    of = world(8, f"ecc_trend@1@{-3 * 86_400}")
    counts = [metrics["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"] for metrics in hour(of, 1)]
    assert counts[-1] - counts[0] > 150.0


def test_throttling_holds_the_clocks_most_of_the_time() -> None:
    found = hour(world(8, "throttling@1@-20000"), 1)
    held = [metrics for metrics in found if int(metrics["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]) & 0x40]
    assert 0.55 < len(held) / len(found) < 0.85
    assert all(metrics["DCGM_FI_DEV_SM_CLOCK"] < 1_200.0 for metrics in held)
    seconds = [metrics["DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS"] / 1e9 for metrics in found]
    assert seconds[-1] - seconds[0] == pytest.approx(0.7 * 59 * 60.0, rel=0.01)


def test_unsteady_power_swings_and_steady_power_does_not() -> None:
    def spread(gpu: int) -> float:
        power = [metrics["DCGM_FI_DEV_POWER_USAGE"] for metrics in found[gpu]]
        mean = sum(power) / len(power)
        return float((sum((value - mean) ** 2 for value in power) / len(power)) ** 0.5)

    of = world(8, "power_instability@1@-20000,power_instability@2@999999")
    found = {gpu: hour(of, gpu) for gpu in (1, 2)}
    assert spread(1) > 0.14 * 700.0
    assert spread(2) < 0.03 * 700.0


@pytest.mark.parametrize(("fault", "silent_from"), [("vanishing", 0.0), ("off_bus", 1.0)])
def test_a_lost_gpu_is_silent_and_its_host_counts_one_less(fault: str, silent_from: float) -> None:
    of = world(8, f"{fault}@1@30")
    gpu_id = of.fleet.gpus[1].gpu_id
    times = [START + 29.0, START + 30.0 + silent_from]
    assert len(told(of.samples(times, interval_seconds=10.0), gpu_id)) == 1
    counts = [
        orjson.loads(value)["metrics"]["gpu_count"]
        for time in times
        for _, value in of.heartbeats(time, interval_seconds=10.0)
    ]
    assert counts == [8.0, 7.0]


def test_the_kernel_log_of_an_uncorrected_error() -> None:
    of = world(8, "ecc_uncorrected@5@20")
    messages = [decode(value) for _, value in of.events(START, START + 60.0)]
    events = [event for message in messages for event in message.events or ()]
    assert [event.code for event in events] == [48, 63, 94]
    assert {message.gpu_id for message in messages} == {of.fleet.gpus[5].gpu_id}
    assert all(not message.metrics for message in messages)
    assert of.event_times(START, START + 60.0)[0] == START + 20.0
    assert list(of.events(START + 60.0, START + 120.0)) == []


def test_history_is_coarse_then_fine_and_marked() -> None:
    of = world(2, "remap_failed@1@-7200")
    found = [orjson.loads(value) for _, value in of.history(START - 86_400.0, START, recent_interval_seconds=10.0)]
    assert all(message["labels"]["history"] == "true" for message in found)
    samples = [message for message in found if message["metrics"]]
    assert len(samples) == 2 * ((86_400 - 3_600) // 300 + 360)
    assert {message["interval_seconds"] for message in samples} == {300.0, 10.0}
    mine = [message["timestamp"] for message in samples if message["gpu_id"] == of.fleet.gpus[0].gpu_id]
    assert mine == sorted(set(mine))
    assert [message["events"][0]["code"] for message in found if not message["metrics"]] == [64]


def test_the_guides_message_has_its_names_no_labels_and_a_naive_time() -> None:
    (message, *_) = told(world(form="guide").samples([START], interval_seconds=10.0), make_fleet(1, 1).gpus[0].gpu_id)
    assert set(message) == {"timestamp", "gpu_id", "host_id", "metrics"}
    assert message["timestamp"] == "2026-11-24T13:20:00.000000"
    assert list(message["metrics"]) == list(GUIDE_NAMES)
    assert to_sample(decode(orjson.dumps(message)), START).unknown == 0


def test_default_faults_fall_on_different_gpus_and_show_within_a_minute() -> None:
    faults = parse_faults("default", seed=1, gpus=50, live_start=START)
    assert {fault.name for fault in faults} == set(KINDS)
    assert len({fault.gpu for fault in faults}) == len(faults)
    assert max(fault.start for fault in faults) <= START + 60.0
    assert len(parse_faults("default", seed=1, gpus=3, live_start=START)) == 1


@pytest.mark.parametrize("text", ["x@1@2", "hot_gpu@1", "hot_gpu@9@0", "hot_gpu@a@0", ""])
def test_a_wrong_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_faults(text, seed=1, gpus=8, live_start=START)


def test_the_asset_list_names_every_gpu_and_the_slow_faults() -> None:
    faults = (Fault("hot_gpu", 2, START), Fault("off_bus", 3, START))
    rows = fleet_assets(1, 10, faults)
    gpus = make_fleet(1, 10).gpus
    assert [row["gpu_id"] for row in rows] == [gpu.gpu_id for gpu in gpus]
    assert [row["serial"] for row in rows] == [gpu.serial for gpu in gpus]
    assert [bool(row["known_issues"]) for row in rows[:4]] == [False, False, True, False]
    assert rows == fleet_assets(1, 10, faults)
