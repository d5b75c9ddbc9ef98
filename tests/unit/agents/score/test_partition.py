"""One partition's logic: routing, refusals, and a restart at any moment that changes nothing."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.ports import Checkpoint, Chunk, Output
from agents.score.bundles import NoInputs
from agents.score.options import ScoreOptions
from agents.score.partition import ScorePartition
from agents.score.side_inputs import PROFILE
from models.gpu import packing
from models.health.profile import load_profile
from schemas.topics import ALERTS, DEAD_LETTER, HEALTH_SCORES, METRICS_RAW, STATUS

START = 1_770_638_400.0


def logic(*, fresh: bool = False, options: ScoreOptions | None = None, home: int = 0) -> ScorePartition:
    partition = ScorePartition(0, lambda key: home, NoInputs(), options)
    partition.restored({}, fresh)
    return partition


def chunk(values: Iterable[bytes | None], *, first: int = 0, at: float = START, rekeyed: bool = False) -> Chunk:
    rows = list(values)
    offsets = range(first, first + len(rows))
    times = [round((at + (offset - first) * 0.001) * 1000) for offset in offsets]
    return Chunk(
        METRICS_RAW, 0, first, first + len(rows), -1, offsets, times, [None] * len(rows), rows, [rekeyed] * len(rows)
    )


def message(gpu_id: str = "GPU-1", at: float = START, **metrics: Any) -> bytes:
    body = {"gpu_id": gpu_id, "host_id": "node-1", "timestamp": at, "metrics": metrics or {"temp_gpu": 60}}
    return orjson.dumps(body)


def topics(outputs: Iterable[Output]) -> list[str]:
    return [output.topic for output in outputs]


def reasons(checkpoint: Checkpoint) -> list[str]:
    letters = [orjson.loads(one.value or b"") for one in checkpoint.outputs if one.topic == DEAD_LETTER]
    return [letter["reason"] for letter in letters]


def test_a_message_of_another_partition_is_sent_on_once() -> None:
    partition = logic(home=3)
    partition.process(chunk([message()]))
    (sent,) = partition.drain().outputs
    assert (sent.topic, sent.key, sent.value) == (METRICS_RAW, b"GPU-1", message())
    assert sent.headers == (("rekeyed", b"1"),)
    assert not partition.states
    partition.process(chunk([message()], rekeyed=True))
    assert reasons(partition.drain()) == ["wrong_partition"]


def test_bad_input_becomes_dead_letters_and_the_rest_goes_on() -> None:
    partition = logic()
    bad = [b"{", b"[]", b"", None, message(at=START + 3600), b'{"gpu_id":"","timestamp":1}']
    partition.process(chunk([*bad, message()]))
    checkpoint = partition.drain()
    assert reasons(checkpoint) == ["not_json", "not_an_object", "empty", "empty", "clock_ahead", "no_gpu_id"]
    assert set(partition.states) == {"GPU-1"}
    assert partition.counts.messages == 7


def test_garbage_is_told_in_numbers_beyond_the_limit_also_across_a_restart() -> None:
    limit = ScoreOptions(dead_letters_per_minute=2)
    partition = logic(options=limit)
    partition.process(chunk([b"{", b"{", b"{", b"[]"]))
    assert reasons(partition.drain()) == ["not_json", "not_json"]
    again = ScorePartition(0, lambda key: 0, NoInputs(), limit)
    again.restored(orjson.loads(orjson.dumps(partition.position_extra())), fresh=False)
    again.process(chunk([b"{", message()], first=4))
    assert reasons(again.drain()) == []
    assert again.states["GPU-1"].samples == 1
    again.advance(START + 61.0)
    (letter,) = [orjson.loads(one.value or b"") for one in again.drain().outputs if one.topic == DEAD_LETTER]
    assert letter["reason"] == "suppressed"
    assert letter["detail"] == "3 more messages were refused in this minute: not_an_object 1, not_json 2"
    assert sum(again.counts.dead.values()) == 1


def test_a_gpu_that_only_sent_unusable_messages_is_not_known() -> None:
    partition = logic()
    partition.process(chunk([message("GPU-2", at=START + 3600)]))
    assert not partition.states


def test_more_gpus_than_allowed_are_dead_letters() -> None:
    partition = logic(options=ScoreOptions(max_gpus=2))
    partition.process(chunk([message(f"GPU-{index}") for index in range(4)] + [message("GPU-1", START + 10)]))
    assert reasons(partition.drain()) == ["too_many_gpus", "too_many_gpus"]
    assert partition.states["GPU-1"].samples == 2


def test_what_was_in_the_log_before_the_first_start_is_history() -> None:
    partition = logic(fresh=True)
    event = {"type": "xid", "code": 79, "timestamp": START + 5}
    fault = orjson.dumps(
        {"gpu_id": "GPU-1", "host_id": "n", "timestamp": START + 5, "metrics": {}, "events": [event]}
    )
    partition.process(chunk([message(), fault]))
    alerts = [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic == ALERTS]
    assert alerts
    assert all(alert["history"] and not alert["page"] for alert in alerts)
    live = logic()
    live.process(chunk([message(), fault]))
    told = [orjson.loads(one.value or b"") for one in live.drain().outputs if one.topic == ALERTS]
    assert [alert["page"] for alert in told] == [True]
    assert live.urgent is False  # drained


def test_an_alert_is_urgent_and_an_ordinary_sample_is_not() -> None:
    partition = logic()
    partition.process(chunk([message()]))
    partition.drain()
    partition.process(chunk([message(at=START + 10)], first=1, at=START + 10))
    assert not partition.urgent
    partition.advance(START + 200.0)
    assert partition.urgent
    alerts = [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic == ALERTS]
    assert [(alert["rule"], alert["status"]) for alert in alerts] == [("gpu_missing", "firing")]


class SecondProfile(NoInputs):
    """Profile version 1, and version 2 from ``effective_from`` on."""

    def __init__(self, effective_from: float) -> None:
        self.effective_from = effective_from

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return the profile of the time; nothing else was published."""
        if kind != PROFILE.name:
            return None
        version = 2 if event_time >= self.effective_from else 1
        return version, msgspec.structs.replace(load_profile(None), version=version)

    def next_change(self, event_time: float) -> float:
        """Return when version 2 begins."""
        return self.effective_from if event_time < self.effective_from else math.inf


def test_within_one_chunk_each_sample_uses_the_inputs_of_its_own_time() -> None:
    partition = ScorePartition(0, lambda key: 0, SecondProfile(START + 5.0))
    partition.restored({}, False)
    times = {"GPU-1": START, "GPU-2": START + 10.0, "GPU-3": START + 4.0, "GPU-4": START + 5.0}
    partition.process(chunk((message(gpu_id, at) for gpu_id, at in times.items()), at=START + 20.0))
    scores = [orjson.loads(one.value or b"") for one in partition.drain().outputs if one.topic == HEALTH_SCORES]
    assert {score["gpu_id"]: score["profile_version"] for score in scores} == {
        "GPU-1": 1,
        "GPU-2": 2,
        "GPU-3": 1,
        "GPU-4": 2,
    }


def test_thirty_days_of_silence_forget_a_gpu() -> None:
    partition = logic()
    partition.process(chunk([message()]))
    partition.drain()
    partition.advance(START + 31 * 86_400.0)
    checkpoint = partition.drain()
    gone = [key for key, value in checkpoint.states if value is None]
    assert gone == [b"GPU-1\x00h", b"GPU-1\x00e", b"GPU-1\x00w"]
    assert not partition.states
    assert [one.value for one in checkpoint.outputs if one.topic == STATUS][-1] is None


def test_a_state_record_of_a_newer_version_stops_the_worker() -> None:
    partition = logic()
    partition.process(chunk([message()]))
    records = dict(partition.drain().states)
    hot = records[b"GPU-1\x00h"]
    assert hot is not None
    other = ScorePartition(0, lambda key: 0, NoInputs())
    other.restore(b"GPU-1\x00h", bytes([packing.VERSION + 1]) + hot[1:])
    with pytest.raises(Exception, match="start the version that wrote it"):
        other.restored({}, fresh=False)


# -- a restart at any moment ---------------------------------------------------------------------------------


def stream(seed: int, gpus: int = 3, ticks: int = 260, step_seconds: float = 97.0) -> list[tuple[float, bytes]]:
    """Return messages over 7 h with faults, resets, gaps, repeats and late samples, in offset order."""
    chance = random.Random(seed)
    rows: list[tuple[float, bytes]] = []
    for tick in range(ticks):
        at = START + tick * step_seconds
        for gpu in range(gpus):
            if chance.random() < 0.04:
                continue
            body: dict[str, Any] = {
                "gpu_id": f"GPU-{gpu}",
                "host_id": "node-1",
                "timestamp": at - (200.0 if chance.random() < 0.03 else 0.0),
                "interval_seconds": step_seconds,
                "labels": {"model": "NVIDIA H100 80GB HBM3", "slot": str(gpu)},
                "metrics": {
                    "DCGM_FI_DEV_GPU_TEMP": 60 + 40 * (gpu == 1) * chance.random(),
                    "DCGM_FI_DEV_POWER_USAGE": 300 + 300 * chance.random(),
                    "DCGM_FI_DEV_GPU_UTIL": chance.choice([0, 60, 97]),
                    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": (tick % 90) * (3 if gpu == 2 else 0),
                    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": int(gpu == 2 and tick % 90 > 40),
                    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": (tick % 90) * 4e7,
                    "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
                    "DCGM_FI_DEV_ROW_REMAP_PENDING": int(gpu == 2 and tick % 90 > 50),
                    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": chance.choice([0, 4, 0x20 if gpu == 1 else 4]),
                    "DCGM_FI_DEV_XID_ERRORS": 48 if gpu == 2 and tick % 90 > 40 else 0,
                },
            }
            if chance.random() < 0.02:
                body["events"] = [{"type": "xid", "code": chance.choice([13, 63, 94, 119]), "timestamp": at}]
            rows.append((at + 0.2, orjson.dumps(body)))
    return rows


def run(
    rows: list[tuple[float, bytes]], cuts: Iterable[int], *, restart: bool
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Process ``rows`` in chunks that end at ``cuts``; with ``restart`` from the stored records each time."""
    partition = logic()
    stored: dict[bytes, bytes] = {}
    extra: Mapping[str, Any] = {}
    said: list[bytes] = []
    first = 0
    for cut in [*sorted(cuts), len(rows)]:
        part = rows[first:cut]
        if part:
            piece = chunk([value for _, value in part], first=first)
            piece.times_ms = [round(at * 1000) for at, _ in part]
            partition.process(piece)
        checkpoint = partition.drain()
        said.extend(b"%s %s" % (one.topic.encode(), one.value or b"") for one in checkpoint.outputs)
        for key, value in checkpoint.states:
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
        extra = orjson.loads(orjson.dumps(partition.position_extra()))
        if restart:
            partition = ScorePartition(0, lambda key: 0, NoInputs())
            for key, value in stored.items():
                partition.restore(key, value)
            partition.restored(extra, fresh=False)
        first = cut
    return said, stored


@settings(max_examples=50)  # each takes a third of a second
@given(seed=st.integers(0, 30), cuts=st.sets(st.integers(1, 700), max_size=6))
def test_a_restart_anywhere_says_and_stores_the_same(seed: int, cuts: set[int]) -> None:
    rows = stream(seed)
    whole, kept = run(rows, [], restart=False)
    again, stored = run(rows, cuts, restart=True)
    assert again == whole
    assert {key: value for key, value in stored.items() if key.endswith(b"h")} == {
        key: value for key, value in kept.items() if key.endswith(b"h")
    }


def test_events_alone_after_a_restart_leave_the_same_state() -> None:
    event = {"type": "xid", "code": 94, "timestamp": START + 1}
    alone = orjson.dumps(
        {"gpu_id": "GPU-1", "host_id": "n", "timestamp": START + 1, "metrics": {}, "events": [event]}
    )
    whole = logic()
    whole.process(chunk([message(), alone]))
    expected = dict(whole.drain().states)
    before = logic()
    before.process(chunk([message()]))
    after = ScorePartition(0, lambda key: 0, NoInputs())
    for key, value in before.drain().states:
        after.restore(key, value or b"")
    after.restored(orjson.loads(orjson.dumps(before.position_extra())), fresh=False)
    after.process(chunk([alone], first=1))
    again = dict(after.drain().states)
    assert again[b"GPU-1\x00e"] == expected[b"GPU-1\x00e"]


def test_the_stream_of_that_test_says_something() -> None:
    said, stored = run(stream(1), [], restart=False)
    told = {row.split(b" ", 1)[0].decode() for row in said}
    assert told >= {"gpu-health-scores", "gpu-risk-scores", "gpu-alerts", "gpu-events", "gpu-hours"}
    rules = {orjson.loads(row.split(b" ", 1)[1])["rule"] for row in said if row.startswith(b"gpu-alerts ")}
    assert {"ecc_uncorrected", "row_remap_pending"} <= rules
    kinds = {key[-1:] for key in stored}
    assert kinds == {b"h", b"e", b"w"}


def fleet_chunk(tick: int, gpus: int) -> Chunk:
    """Return one ordinary sample of each GPU, one each 10 s, spread over them."""
    values = [message(f"GPU-{gpu}", START + 10.0 * tick + gpu * 10.0 / gpus) for gpu in range(gpus)]
    piece = chunk(values, first=tick * gpus)
    piece.times_ms = [round((START + 10.0 * tick + gpu * 10.0 / gpus) * 1000) for gpu in range(gpus)]
    return piece


def test_statuses_are_thinned_to_the_share_of_the_partition_and_a_restart_adds_none() -> None:
    gpus, share, ticks, restart_at = 200, 6.0, 24, 13  # 33 s a GPU
    options = ScoreOptions(status_records_per_second=share)
    partition = logic(options=options)
    stored: dict[bytes, bytes] = {}
    published: list[dict[bytes, int]] = []
    for tick in range(ticks):
        partition.process(fleet_chunk(tick, gpus))
        checkpoint = partition.drain()
        stored.update({key: value for key, value in checkpoint.states if value is not None})
        keys = [one.key for one in checkpoint.outputs if one.topic == STATUS]
        published.append({key: keys.count(key) for key in keys})
        if tick == restart_at:
            extra = orjson.loads(orjson.dumps(partition.position_extra()))
            partition = ScorePartition(0, lambda key: 0, NoInputs(), options)
            for key, value in stored.items():
                partition.restore(key, value)
            partition.restored(extra, fresh=False)
    assert len(published[0]) == gpus  # the first sight of each
    steady = published[4:]
    assert sum(map(len, steady)) / (10.0 * len(steady)) == pytest.approx(share, rel=0.1)
    assert all(set(tick.values()) == {1} for tick in published)
    assert max(map(len, steady)) < 2 * share * 10.0  # also after the restart
    for gpu in range(gpus):
        ticks_told = [tick for tick, keys in enumerate(published) if b"GPU-%d" % gpu in keys]
        assert max(b - a for a, b in itertools.pairwise([*ticks_told, ticks])) <= 6  # a minute


def test_evidence_is_not_written_for_an_ordinary_sample() -> None:
    partition = logic()
    partition.process(chunk([message()]))
    partition.drain()
    for tick in range(1, 4):
        partition.process(chunk([message(at=START + tick * 10)], first=tick, at=START + tick * 10))
        assert [key for key, _ in partition.drain().states] == [b"GPU-1\x00h"]


def test_records_are_valid_json_of_their_schema() -> None:
    from schemas.alert import AlertEvent
    from schemas.gpu_event import GpuEvent
    from schemas.gpu_hour import GpuHour
    from schemas.health_score import HealthScore
    from schemas.recommendation import Recommendation
    from schemas.risk_score import RiskScore
    from schemas.status import GpuStatus

    types = {
        "gpu-alerts": AlertEvent,
        "gpu-events": GpuEvent,
        "gpu-hours": GpuHour,
        "gpu-health-scores": HealthScore,
        "gpu-recommendations": Recommendation,
        "gpu-risk-scores": RiskScore,
        "gpu-status": GpuStatus,
    }
    said, _ = run(stream(2), [], restart=False)
    for row in said:
        topic, value = row.split(b" ", 1)
        msgspec.json.decode(value, type=types[topic.decode()])
