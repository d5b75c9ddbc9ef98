"""Shapes: what they take is what the exact way gives, field by field; what they cannot take goes that way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InvalidMessage
from schemas.raw import decode
from schemas.sample import to_sample
from schemas.shapes import ShapeLimits, Shapes
from schemas.signals import ALIASES
from tests.bench.messages import fleet
from tests.golden.incidents.scenario import Scenario

KEY = b"GPU-1"
TIME = 1_770_638_401.0
CASES = sorted((Path(__file__).parents[2] / "golden" / "incidents").glob("*/input.json"))
NAMES = ["a", 'quo"te', "ü", "m0", "", "x" * 5000, "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L7", *sorted(ALIASES)[::4]]
BLANKS = ["2147483633", "9223372036854775794", "140737488355328", "null", '"N/A"', '"12"', "-0.0", "0", "1e3"]
ODD = ["NaN", "true", "9007199254740993", "1e400", "123456789012345678901234567890", "[1]", '"x"', "-1", *BLANKS]
number = st.integers(0, 100).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
odd = st.sampled_from(ODD)
entry = st.tuples(st.sampled_from(NAMES), number)
extra = st.sampled_from(
    [
        "",
        ',"refused":{"a":"b"}',
        ',"metrics":{}',
        ',"labels":{"history":"true"}',
        ',"host_id":7',
        ',"events":[{}]',
        "}",
    ]
)
gpu = st.sampled_from(["GPU-1", "GPU-1", "GPU-1", "host:n", "", " x"])


def outcome(value: bytes | None, taken: Shapes | None) -> str:
    """Return everything that follows from a message, as text: NaN is equal to itself there, -0.0 not to 0.0."""
    try:
        raw, fitted = taken.decode(KEY, value) if taken else (decode(value), None)
        sample = to_sample(raw, TIME, fitted)
    except InvalidMessage as error:
        return f"{error.reason} {error.detail}"
    told = msgspec.structs.asdict(sample) | {"values": list(sample.values)}
    del told["still"]  # what a shape knows beside
    types = [type(number) for number in sample.values]
    return repr((told, types, raw.timestamp, raw.schema_version, raw.refused))


def message(metrics: list[tuple[str, str]], gpu_id: str = "GPU-1", more: str = "") -> bytes:
    inner = ",".join(f"{json.dumps(name, ensure_ascii=False)}:{text}" for name, text in metrics)
    return f'{{"timestamp":1770638400,"gpu_id":"{gpu_id}","metrics":{{{inner}}}{more}}}'.encode()


@settings(max_examples=300, deadline=None)
@given(st.lists(entry, min_size=1, max_size=45, unique_by=lambda pair: pair[0]), st.data())
def test_every_outcome_is_that_of_the_exact_way(base: list[tuple[str, str]], data: st.DataObject) -> None:
    known = Shapes(rest_messages=0)
    ordinary = message([(name, "1") for name, _ in base])
    for _ in range(3):
        assert outcome(ordinary, known) == outcome(ordinary, None)
    for _ in range(4):
        change = data.draw(st.sampled_from(["none", "values", "odd", "order", "twice", "less", "more"]))
        metrics = [(name, data.draw(number)) for name, _ in base] if change != "none" else list(base)
        if change == "odd":
            at = data.draw(st.integers(0, len(metrics) - 1))
            metrics[at] = (metrics[at][0], data.draw(odd))
        elif change == "order":
            metrics = data.draw(st.permutations(metrics))
        elif change == "twice":
            metrics.append((data.draw(st.sampled_from(metrics))[0], data.draw(odd | number)))
        elif change == "less":
            metrics.pop()
        elif change == "more":
            metrics.append(data.draw(entry))
        value = message(metrics, data.draw(gpu), data.draw(extra))
        assert outcome(value, known) == outcome(value, None)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_golden_recordings(case: Path) -> None:
    told = json.loads(case.read_text("utf-8"))
    known = Shapes()
    fits = 0
    for item in Scenario(told["interval_seconds"], told["gpus"], told["steps"]).messages():
        assert outcome(item.value, known) == outcome(item.value, None)
        fits += known.decode(KEY, item.value)[1] is not None
    assert fits > 0


@pytest.mark.parametrize("kind", ["guide", "ours"])
def test_ordinary_messages_fit_from_the_third_on(kind: str) -> None:
    known = Shapes()
    fits = []
    for _, value in fleet(kind, 1, 10):
        assert outcome(value, known) == outcome(value, None)
        fits.append(known.decode(KEY, value)[1] is not None)
    assert all(fits[1:])


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b'{"metrics":null}'])
def test_no_message_at_all(value: Any) -> None:
    known = Shapes()
    for _ in range(3):
        outcome(message([("temp_gpu", "40")]), known)
    assert outcome(value, known) == outcome(value, None)


def test_one_name_more_often_than_a_message_may_have_names() -> None:
    known = Shapes()
    for _ in range(3):
        outcome(message([("temp_gpu", "40")]), known)
    value = message([("temp_gpu", str(index % 90)) for index in range(2500)])
    assert outcome(value, known) == outcome(value, None)


@pytest.mark.parametrize("values", [("4", "4"), ("4", "5"), ("5", "4"), ("0", "-0.0"), ("-0.0", "0")])
def test_of_two_names_of_one_signal_the_same_one_counts(values: tuple[str, str]) -> None:
    known = Shapes(rest_messages=0)
    names = ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS")
    for _ in range(3):
        outcome(message([(names[0], "4"), (names[1], "4")]), known)
    pairs = list(zip(names, values, strict=True))
    for ordered in (pairs, pairs[::-1]):
        value = message(ordered)
        assert outcome(value, known) == outcome(value, None)


def test_what_is_still_is_all_that_counts_or_lasts_but_what_moves_at_work() -> None:
    known = Shapes(rest_messages=0)
    metrics = {"temp_gpu": "60", "power_usage": "300", "total_energy_consumption": "5000"}
    metrics |= {
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": "3",
        "DCGM_FI_DEV_ROW_REMAP_FAILURE": "0",
        "DCGM_FI_DEV_SLOWDOWN_TEMP": "90",
    }

    def still(**changes: str) -> bytes | None:
        fitted = known.decode(KEY, message(list((metrics | changes).items())))[1]
        return None if fitted is None else fitted[2]

    for _ in range(3):
        first = still()
    assert first is not None
    assert still(temp_gpu="70", power_usage="400", total_energy_consumption="6000") == first
    for name in ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_ROW_REMAP_FAILURE", "DCGM_FI_DEV_SLOWDOWN_TEMP"):
        assert still(**{name: "50" if "TEMP" in name else "1"}) != first
    less = dict(metrics)
    less.pop("DCGM_FI_DEV_SLOWDOWN_TEMP")
    for _ in range(4):
        other = known.decode(KEY, message(list(less.items())))[1]
    assert other is not None
    assert other[2] != first


def test_what_is_kept_is_bounded() -> None:
    known = Shapes(limits=ShapeLimits(shapes=4, seen=4, keys=4))
    for index in range(30):
        value = message([(f"name{index}", "1")])
        for _ in range(3):
            known.decode(b"%d" % index, value)
    assert all(held <= 4 for held in known.sizes())
