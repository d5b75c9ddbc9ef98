"""Occurrences: each XID once, from whichever source tells it."""

from __future__ import annotations

import orjson
import pytest

from models.alerts.xid import KEPT_DIGESTS, take_events
from schemas.raw import decode
from schemas.sample import Sample, to_sample
from tests.unit.models.alerts.bench import CATALOGUE, START, Bench, xid_event


def _sample(time: float, *, gauge: float | None = None, events: list[dict[str, object]] | None = None) -> Sample:
    metrics = {} if gauge is None else {"xid_last": gauge}
    message = {"gpu_id": "GPU-1", "timestamp": time, "metrics": metrics, "events": events or []}
    return to_sample(decode(orjson.dumps(message)), time)


def _codes(gpu: Bench, sample: Sample) -> list[int]:
    if sample.has_metrics:
        gpu.state.update(sample)
    return [occurrence.code for occurrence in take_events(gpu.state, sample, CATALOGUE, taken=sample.has_metrics)]


def test_same_event_again_is_not_taken() -> None:
    gpu = Bench()
    event = xid_event(13, START)
    assert _codes(gpu, _sample(START, events=[event, event])) == [13]
    assert _codes(gpu, _sample(START + 30, events=[event])) == []
    assert _codes(gpu, _sample(START + 30, events=[xid_event(13, START, "another line")])) == [13]


def test_digests_are_bounded() -> None:
    gpu = Bench()
    events = [xid_event(95, START, f"line {number}") for number in range(300)]
    _codes(gpu, _sample(START, events=events))
    assert len(gpu.state.digests) == KEPT_DIGESTS
    assert gpu.state.evidence["xid:95"].count == 1, "lines within 5 s are one fault"


def test_first_sight_of_the_gauge_is_latched() -> None:
    gpu = Bench()
    assert _codes(gpu, _sample(START, gauge=79.0)) == []
    assert _codes(gpu, _sample(START + 10, gauge=79.0)) == []
    assert gpu.state.evidence["xid_latched:79"].history
    assert "xid:79" not in gpu.state.evidence


def test_gauge_edge_is_an_occurrence_and_equal_codes_are_invisible() -> None:
    gpu = Bench()
    assert _codes(gpu, _sample(START, gauge=0.0)) == []
    assert _codes(gpu, _sample(START + 10, gauge=79.0)) == [79]
    assert _codes(gpu, _sample(START + 20, gauge=79.0)) == []
    assert _codes(gpu, _sample(START + 30, gauge=0.0)) == []
    assert _codes(gpu, _sample(START + 3000, gauge=79.0)) == [79]


@pytest.mark.parametrize(("apart", "codes"), [(1.0, []), (60.0, []), (61.0, [48])])
def test_gauge_after_the_log_is_the_same_within_a_minute(apart: float, codes: list[int]) -> None:
    gpu = Bench()
    _codes(gpu, _sample(START, gauge=0.0))
    assert _codes(gpu, _sample(START + 5, events=[xid_event(48, START + 5)])) == [48]
    assert _codes(gpu, _sample(START + 5 + apart, gauge=48.0)) == codes


def test_log_after_the_gauge_is_the_same_and_a_second_line_is_another() -> None:
    gpu = Bench()
    _codes(gpu, _sample(START, gauge=0.0))
    assert _codes(gpu, _sample(START + 10, gauge=31.0)) == [31]
    assert _codes(gpu, _sample(START + 11, events=[xid_event(31, START + 8)])) == []
    assert _codes(gpu, _sample(START + 30, events=[xid_event(31, START + 30)])) == [31]


def test_events_are_never_late_and_do_not_move_time() -> None:
    gpu = Bench()
    _codes(gpu, _sample(START + 100, gauge=0.0))
    sample = _sample(START + 150, events=[xid_event(13, START + 50)])
    (occurrence,) = take_events(gpu.state, sample, CATALOGUE, taken=False)
    assert occurrence.at == START + 50
    assert occurrence.history, "older than the GPU's first sight"
    assert gpu.state.time == START + 100


def test_fallen_off_the_bus_is_79_without_a_code() -> None:
    gpu = Bench()
    line = "NVRM: GPU 0000:18:00.0: GPU has fallen off the bus."
    event = {"type": "xid", "line": line, "timestamp": START}
    assert _codes(gpu, _sample(START, events=[event])) == [79]


def test_other_events_and_events_without_code_are_left() -> None:
    gpu = Bench()
    events: list[dict[str, object]] = [
        {"type": "sxid", "code": 12028, "timestamp": START},
        {"type": "xid", "line": "cut", "timestamp": START},
        {"type": "xid", "code": 0, "timestamp": START},
    ]
    assert _codes(gpu, _sample(START, events=events)) == []


def test_bursts_are_counted_over_a_day() -> None:
    gpu = Bench()
    counts = []
    for at in (0, 60, 200, 1000, 2000, 3000, 4000, 5000, 100_000):
        sample = _sample(START + at, events=[xid_event(94, START + at)])
        counts += [occurrence.bursts for occurrence in take_events(gpu.state, sample, CATALOGUE, taken=False)]
    assert counts == [1, 1, 1, 2, 3, 4, 5, 5, 1]


def test_nvlink_fatal_is_noted() -> None:
    gpu = Bench()
    _codes(gpu, _sample(START, gauge=0.0))
    line = "Xid (PCI:0009:01:00): 149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 01 (0x021425c6 0x00000000)"
    _codes(gpu, _sample(START + 1, events=[xid_event(149, START + 1, line)]))
    assert {"xid:149", "xid:149:fatal"} <= set(gpu.state.evidence)
