"""The front door: every command explains itself, imports only what it needs, and exits as documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli import gpu_health
from streams.embedded.run_file import (
    ProcessState,
    RunState,
    supervisor_identity,
    without_password,
    write_run,
)

_COMMANDS = gpu_health.list_commands(click.Context(gpu_health))
_HEAVY = ("faust", "aiokafka", "asyncpg", "river", "numpy", "aiohttp")


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(gpu_health, [name, "--help"])
    assert result.exit_code == 0, result.output
    command = gpu_health.get_command(click.Context(gpu_health), name)
    documented = [result.output]
    if isinstance(command, click.Group):
        documented = [CliRunner().invoke(gpu_health, [name, sub, "--help"]).output for sub in command.commands]
    for text in documented:
        assert "Example" in text


def test_listing_the_commands_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from streams.cli import gpu_health\n"
        "assert CliRunner().invoke(gpu_health, ['--help']).exit_code == 0\n"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_unknown_command_is_wrong_use() -> None:
    assert CliRunner().invoke(gpu_health, ["nonsense"]).exit_code == 2


def test_an_unusable_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPU_HEALTH_PARTITIONS", "sesame")
    result = CliRunner().invoke(gpu_health, ["status"])
    assert result.exit_code == 2
    assert "GPU_HEALTH_PARTITIONS" in result.output
    assert "sesame" not in result.output


def _run_state(data_dir: Path, state: str, pid: int, created: float) -> RunState:
    return RunState(
        supervisor_pid=pid,
        supervisor_created=created,
        data_dir=str(data_dir),
        started_at="2026-03-01T00:00:00+00:00",
        simulated=True,
        broker="127.0.0.1:21000",
        broker_embedded=True,
        metrics_dsn=without_password("postgresql://me:secret@db/metrics"),
        assets_dsn="",
        database_embedded=False,
        page="http://127.0.0.1:6066/",
        processes=[
            ProcessState(name="score", pid=7, state=state, restarts=3, last_exit="score ended with code 1", log="l")
        ],
    )


def test_status_without_a_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPU_HEALTH_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(gpu_health, ["status", "--format", "json"])
    assert result.exit_code == 1
    assert json.loads(result.output) == {"running": False, "data_dir": str(tmp_path)}
    # A file left by a supervisor that was killed: its pid may be ours by now, its time of creation is not.
    pid, created = supervisor_identity()
    write_run(tmp_path, _run_state(tmp_path, "running", pid, created - 60.0))
    assert CliRunner().invoke(gpu_health, ["status"]).exit_code == 1


@pytest.mark.parametrize(("state", "exit_code"), [("running", 0), ("waiting", 1)])
def test_status_of_a_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, exit_code: int) -> None:
    monkeypatch.setenv("GPU_HEALTH_DATA_DIR", str(tmp_path))
    write_run(tmp_path, _run_state(tmp_path, state, *supervisor_identity()))
    table = CliRunner().invoke(gpu_health, ["status"])
    assert table.exit_code == exit_code
    for shown in ("simulated", "127.0.0.1:21000", "http://127.0.0.1:6066/", "score ended with code 1", state):
        assert shown in table.output
    assert "secret" not in table.output
    result = CliRunner().invoke(gpu_health, ["status", "--format", "json"])
    assert json.loads(result.output)["processes"][0]["restarts"] == 3


def test_a_role_that_does_not_exist_is_wrong_use() -> None:
    result = CliRunner().invoke(gpu_health, ["worker", "--role", "nobody"])
    assert result.exit_code == 2
    assert "score" in result.output


def test_a_worker_without_a_broker_is_wrong_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPU_HEALTH_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(gpu_health, ["worker", "--role", "view"])
    assert result.exit_code == 2
    assert "GPU_HEALTH_BROKER" in result.output
