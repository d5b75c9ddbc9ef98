"""The simulate command: durations, reproducible output, the asset list."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from streams.cli.simulate import command
from streams.feeding.simulating import parse_duration

ARGUMENTS = ["--gpus", "4", "--duration", "30s", "--stdout", "--start", "2026-11-01T00:00:00Z", "--faults", "none"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7d", 604_800.0), ("1.5h", 5_400.0), ("10s", 10.0), ("1h30m", 5_400.0), ("1d2h3m4s", 93_784.0), ("none", 0.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "1:30", "-5m", "30m1h", "1h 30m", "5 mths", "٣m", "1hh", ".5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "arguments",
    [["--history", "7"], ["--faults", "nothing@0@0"], ["--start", "tomorrow"], ["--start", "2199-01-01T00:00:00Z"]],
)
def test_what_cannot_be_simulated_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, [*ARGUMENTS, *arguments]).exit_code == 2


def test_the_same_arguments_print_the_same_lines() -> None:
    first, second = (CliRunner().invoke(command, ARGUMENTS) for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    messages = [json.loads(line) for line in first.stdout.splitlines() if line.startswith("{")]
    assert len(messages) == 3 * (4 + 1)
    assert {message["labels"]["simulated"] for message in messages} == {"true"}


def test_the_asset_list_is_csv() -> None:
    result = CliRunner().invoke(command, ["--gpus", "10", "--faults", "hot_gpu@2@0", "--assets", "-"])
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert len(rows) == 10
    assert [bool(row["known_issues"]) for row in rows[:3]] == [False, False, True]
