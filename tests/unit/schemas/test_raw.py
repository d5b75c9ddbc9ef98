"""Decoding: never an exception but InvalidMessage, and one bad value costs that value only."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import Reason
from schemas.errors import InvalidMessage
from schemas.raw import MAX_MESSAGE_BYTES, RawMessage, decode
from schemas.sample import to_sample

GOOD = b'{"gpu_id": "GPU-1", "host_id": "h", "timestamp": "2026-02-09T12:00:00", "metrics": {"temp_gpu": 65}}'


def reason_of(value: bytes | None) -> str:
    with pytest.raises(InvalidMessage) as caught:
        to_sample(decode(value), 1770638400.0)
    return caught.value.reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (GOOD[:-5], Reason.NOT_JSON),
        (b"\xff\xfe\x00", Reason.NOT_JSON),
        (b"[" * 200_000, Reason.NOT_JSON),
        (b"[1, 2]", Reason.NOT_AN_OBJECT),
        (b"3", Reason.NOT_AN_OBJECT),
        (b'{"timestamp": "2026-02-09T12:00:00", "metrics": {}}', Reason.NO_GPU_ID),
        (b'{"gpu_id": 7, "timestamp": "2026-02-09T12:00:00", "metrics": {}}', Reason.NO_GPU_ID),
        (b'{"gpu_id": "GPU\\u0000", "timestamp": "2026-02-09T12:00:00", "metrics": {}}', Reason.BAD_GPU_ID),
        (b'{"gpu_id": "' + b"x" * 300 + b'", "timestamp": 1770638400, "metrics": {}}', Reason.BAD_GPU_ID),
        (b'{"gpu_id": "GPU-1", "metrics": {}}', Reason.NO_TIME),
        (b'{"gpu_id": "GPU-1", "timestamp": "yesterday", "metrics": {}}', Reason.BAD_TIME),
        (b'{"gpu_id": "GPU-1", "timestamp": "1970-01-01T00:00:00Z", "metrics": {}}', Reason.BAD_TIME),
        (b'{"gpu_id": "GPU-1", "timestamp": 1e300, "metrics": {}}', Reason.BAD_TIME),
        (b'{"gpu_id": "GPU-1", "timestamp": 1770638400, "metrics": [1]}', Reason.NO_METRICS),
        (b'{"gpu_id": "' + b"a" * MAX_MESSAGE_BYTES + b'"}', Reason.TOO_LARGE),
    ],
)
def test_refusals_have_their_reason(value: bytes | None, reason: Reason) -> None:
    assert reason_of(value) == reason


def test_one_bad_value_costs_that_value_only() -> None:
    value = (
        b'{"gpu_id": "GPU-1", "timestamp": 1770638400, "metrics": {"temp_gpu": 65, "power_draw": NaN, '
        b'"util_gpu": true, "clock_gpu": [1], "temp_memory": 1e999, "memory_used": "12"}}'
    )
    raw = decode(value)
    assert raw.metrics == {"temp_gpu": 65.0, "memory_used": "12"}
    assert raw.refused == {
        "power_draw": "not_finite",
        "util_gpu": "wrong_type",
        "clock_gpu": "wrong_type",
        "temp_memory": "not_finite",
    }


def test_bad_events_are_dropped_and_good_ones_kept() -> None:
    message: dict[str, Any] = {"gpu_id": "GPU-1", "timestamp": 1770638400, "metrics": {"temp_gpu": "65"}}
    message["events"] = [{"type": "xid", "code": "79"}, 5, {"code": 1}, {"type": "xid", "code": True}]
    raw = decode(json.dumps(message).encode())
    assert raw.events is not None
    assert [(event.type, event.code) for event in raw.events] == [("xid", 79), ("xid", None)]
    assert set(raw.refused or {}) == {"events[1]", "events[2]"}


def test_guides_message_needs_no_more_than_it_had() -> None:
    raw = decode(GOOD)
    assert isinstance(raw, RawMessage)
    assert to_sample(raw, 1.0).time == 1770638400.0  # a naive time is UTC


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_are_invalid(value: bytes) -> None:
    try:
        to_sample(decode(value), 1770638400.0)
    except InvalidMessage as error:
        assert error.reason in set(Reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "gpu_id": st.just("GPU-1") | JSON,
            "timestamp": st.just("2026-02-09T12:00:00Z") | JSON,
            "host_id": JSON,
            "metrics": st.dictionaries(st.sampled_from(["temp_gpu", "xid_last", "nonsense"]), JSON) | JSON,
            "labels": JSON,
            "events": st.lists(st.fixed_dictionaries({"type": JSON, "code": JSON, "timestamp": JSON})) | JSON,
            "interval_seconds": JSON,
            "source": JSON,
        },
    )
)
def test_any_json_decodes_or_is_invalid(message: dict[str, Any]) -> None:
    try:
        sample = to_sample(decode(json.dumps(message).encode()), 1770638400.0)
    except InvalidMessage as error:
        assert error.reason in set(Reason)
    else:
        orjson.dumps([sample.gpu_id, sample.host_id, sample.labels])


def body(**fields: Any) -> bytes:
    return json.dumps({"gpu_id": "GPU-1", "timestamp": 1770638400, "metrics": {"temp_gpu": 65}, **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"labels": {"model": "m" * 5000}}, {"labels": "too_long"}),
        ({"labels": {f"l{number}": "v" for number in range(65)}}, {"labels": "too_many"}),
        ({"metrics": dict.fromkeys(map(str, range(2001)), 1)}, {"metrics": "too_many"}),
        ({"events": [{"type": "note"}] * 1001}, {"events": "too_many"}),
        ({"host_id": "h" * 5000, "source": "s" * 5000}, {}),
        ({"events": [{"type": "t" * 5000, "line": "l" * 5000, "pci_bus_id": "p" * 5000}]}, {}),
        ({"events": [{"type": "xid", "code": 10**30}, {"type": "xid", "code": 2**31}]}, {}),
    ],
)
def test_what_is_too_much_is_cut_and_told(fields: dict[str, Any], reason: dict[str, str]) -> None:
    """Nobody else's record of this GPU may grow beyond what its topic takes."""
    raw = decode(body(**fields))
    assert raw.refused == reason
    assert len(raw.metrics) in (1, 2000)
    assert len(raw.labels or {}) <= 64
    assert len(raw.events or []) <= 1000
    texts = [raw.host_id, raw.source or "", *(raw.labels or {}).values()]
    texts += [text for event in raw.events or [] for text in (event.type, event.pci_bus_id or "")]
    assert max(map(len, texts)) <= 1024
    for event in raw.events or []:
        assert len(event.line or "") <= 4096
        assert event.code is None


def test_lone_surrogates_do_not_leave_the_decoder() -> None:
    lone = "\ud800"
    event = {"type": lone, "line": lone, "pci_bus_id": lone}
    raw = decode(body(host_id=lone, metrics={lone: 1}, labels={lone: lone}, events=[event], source=lone))
    assert lone not in msgspec.json.encode(raw).decode()
    assert raw.metrics == {"?": 1.0}


def test_a_sender_cannot_say_what_was_refused() -> None:
    assert decode(body(refused={"temp_gpu": "made_up"})).refused is None


def test_an_event_far_ahead_happened_when_it_was_told() -> None:
    raw = decode(body(events=[{"type": "xid", "code": 79, "timestamp": at} for at in (1770638500, 1770638430)]))
    assert [event.time for event in to_sample(raw, 1770638400.0).events] == [1770638400.0, 1770638430.0]
