"""The collector's systemd unit: its command is one of ours, with options that it has."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest

from streams.cli import gpu_health
from streams.cli.collect import command
from streams.settings import Settings

UNIT = Path(__file__).resolve().parents[3] / "deploy" / "gpu-health-collect.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return parser


def test_command_line_parses(unit: configparser.ConfigParser) -> None:
    program, name, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "gpu-health"
    assert gpu_health.get_command(gpu_health.make_context("gpu-health", [], resilient_parsing=True), name) is command
    context = command.make_context(name, arguments)
    assert context.params["urls"] == ("http://127.0.0.1:9400/metrics",)
    assert context.params["host_id"] == "%H"
    assert context.params["interval"] == Settings().interval_seconds
    assert not context.params["once"]


def test_it_is_kept_running_with_few_rights(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["User"] not in {"", "root"}
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"


def test_settings_that_it_names_exist() -> None:
    for line in UNIT.read_text("utf-8").splitlines():
        name = line.strip("# ").partition("=")[0]
        if name.startswith("GPU_HEALTH_"):
            assert name.removeprefix("GPU_HEALTH_").lower() in Settings.model_fields
