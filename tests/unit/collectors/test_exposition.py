"""The parser loses at most the damaged line, keeps identity safe, and never raises."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.dcgm import messages
from collectors.exposition import Row, parse_exposition, parse_labels


def one(line: str) -> Row:
    parsed = parse_exposition(line)
    assert len(parsed.rows) == 1, parsed
    return parsed.rows[0]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ('gpu="0",UUID="GPU-1"', {"gpu": "0", "UUID": "GPU-1"}),
        ('gpu="0", UUID="GPU-1" , ', {"gpu": "0", "UUID": "GPU-1"}),
        ('gpu="0"UUID="GPU-1"', {"gpu": "0", "UUID": "GPU-1"}),
        ('gpu="0,UUID="GPU-1",device="x"', {"gpu": "0", "UUID": "GPU-1", "device": "x"}),
        ('gpu=0,UUID="GPU-1"', {"gpu": "0", "UUID": "GPU-1"}),
        ('UUID="GPU-1",pod="say "hi", you"', {"UUID": "GPU-1", "pod": 'say "hi", you'}),
        (
            'UUID="GPU-1",err_msg="Preemptive cleanup, due to"',
            {"UUID": "GPU-1", "err_msg": "Preemptive cleanup, due to"},
        ),
        ('UUID="GPU-1",pod="a}b{c"', {"UUID": "GPU-1", "pod": "a}b{c"}),
        ('UUID="GPU-1",pod="C:\\tmp\\"', {"UUID": "GPU-1", "pod": "C:\\tmp\\"}),
        (r'UUID="GPU-1",pod="say \"hi\""', {"UUID": "GPU-1", "pod": 'say "hi"'}),
        ('pod="",UUID="GPU-1"', {"pod": "", "UUID": "GPU-1"}),
        ("", {}),
    ],
)
def test_labels(block: str, expected: dict[str, str]) -> None:
    assert parse_labels(block) == expected


def test_a_pod_label_cannot_take_the_place_of_the_identity() -> None:
    labels = parse_labels('gpu="0",UUID="GPU-real",pod="x",UUID="GPU-forged"')
    assert labels["UUID"] == "GPU-real"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65", 65.0),
        (" 65.5 1770638400000", 65.5),
        ("1e3", 1000.0),
        ("9223372036854775794", 9223372036854775794.0),
        ("", ""),
        ("ERROR - FAILED TO CONVERT TO STRING", "ERROR - FAILED TO CONVERT TO STRING"),
        ("NaN", "NaN"),
        ("+Inf", "+Inf"),
        ("1e999", "1e999"),
        ("1_000", "1_000"),
    ],
)
def test_values(text: str, value: float | str) -> None:
    assert one(f'NAME{{UUID="GPU-1"}} {text}').value == value


def test_a_raw_newline_in_a_label_costs_nothing() -> None:
    text = 'A{UUID="GPU-1",pod="two\nlines"} 1\nB{UUID="GPU-1"} 2\n'
    parsed = parse_exposition(text)
    assert [(row.name, row.value) for row in parsed.rows] == [("A", 1.0), ("B", 2.0)]
    assert parsed.rows[0].labels["pod"] == "two\nlines"


def test_a_line_cut_short_costs_itself_alone() -> None:
    parsed = parse_exposition('A{UUID="GPU-1",pod="cut\nB{UUID="GPU-1"} 2\n')
    assert [row.name for row in parsed.rows] == ["B"]
    assert [(line.number, line.reason) for line in parsed.damaged] == [(1, "labels without an end")]


def test_headers_first_comments_and_windows_line_ends() -> None:
    text = "# HELP A words\r\n# TYPE A gauge\r\n\r\n# NOTE anything\r\nA 5\r\n=== 3\r\n"
    parsed = parse_exposition(text)
    assert parsed.rows == (Row("A", {}, 5.0),)
    assert [line.reason for line in parsed.damaged] == ["no metric name"]


_pieces = st.lists(
    st.sampled_from(
        ["DCGM_FI_DEV_GPU_TEMP{", 'UUID="GPU-1"', '"', ",", "}", " 65", "\n", "nvlink=", "\\", "#", '="', "\x00", "é"]
    ),
    max_size=30,
).map("".join)


@given(st.one_of(st.text(), _pieces))
def test_any_text_gives_messages_that_json_can_hold(text: str) -> None:
    parsed = parse_exposition(text)
    for message in messages(parsed, host_id="h", time=1.77e9, interval_seconds=10.0, source="dcgm"):
        assert orjson.loads(orjson.dumps(message)) == message


def test_a_quoted_label_name_makes_no_part_of_the_value_before_it() -> None:
    block = 'Hostname="n",UUID="GPU-1","cloud.region"="eu-1",device="nvidia0",gpu="0"'
    assert parse_labels(block) == {
        "Hostname": "n",
        "UUID": "GPU-1",
        "cloud.region": "eu-1",
        "device": "nvidia0",
        "gpu": "0",
    }


def test_a_quoted_metric_name_is_one() -> None:
    (row,) = parse_exposition('{"DCGM_FI_DEV_GPU_TEMP",UUID="GPU-1",gpu="0"} 61\n').rows
    assert row == Row("DCGM_FI_DEV_GPU_TEMP", {"UUID": "GPU-1", "gpu": "0"}, 61.0)


@pytest.mark.parametrize(
    ("written", "value"),
    [(r"a\"b", 'a"b'), (r"a\\b", "a\\b"), (r"a\nb", "a\nb"), (r"a\\nb", r"a\nb"), (r"x\", gpu=\"1", 'x", gpu="1')],
)
def test_escapes_in_a_label_value_are_undone(written: str, value: str) -> None:
    assert parse_labels(f'UUID="GPU-1",pod="{written}",gpu="0"') == {"UUID": "GPU-1", "pod": value, "gpu": "0"}
