"""One command brings everything up; Ctrl-C ends everything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

import asyncpg
import psutil
import pytest

from streams.embedded.run_file import RunState, read_run

_ROOT = Path(__file__).parents[2]
_GPUS = 8
_END_SECONDS = 60.0


def _until_page(output: IO[str]) -> list[str]:
    """Read what `up` says until it names the page; the test's time-out bounds it."""
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if "page:" in line:
            return lines
    pytest.fail("`up` ended before the page was there:\n" + "".join(lines))


async def _rows(run: RunState) -> int:
    connection = await asyncpg.connect(run.metrics_dsn)
    deadline = time.monotonic() + 30.0
    try:
        while True:
            rows: int = await connection.fetchval("SELECT count(DISTINCT gpu_id) FROM gpu_health_metrics")
            if rows >= _GPUS or time.monotonic() > deadline:
                return rows
    finally:
        await connection.close()


@pytest.mark.timeout(300)
def test_up_scores_a_simulated_fleet_and_leaves_nothing_behind(server_folder: Path) -> None:
    environment = {**os.environ, "GPU_HEALTH_DATA_DIR": str(server_folder), "GPU_HEALTH_WEB_PORT": "0"}
    command = [sys.executable, "-m", "streams", "up", "--gpus", str(_GPUS)]
    with subprocess.Popen(command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            lines = _until_page(up.stdout)
            run = read_run(server_folder)
            assert run is not None
            assert run.simulated
            family = psutil.Process(up.pid).children(recursive=True)
            assert {one.state for one in run.processes} == {"running"}, lines
            assert [one.restarts for one in run.processes] == [0] * len(run.processes), lines
            with urllib.request.urlopen(f"{run.page}gpus/", timeout=10) as response:
                gpus = json.load(response)["gpus"]
            scored = [g for g in gpus if g["overall_score"] is not None]
            assert len(scored) == _GPUS
            assert all(g["simulated"] for g in scored)
            assert asyncio.run(_rows(run)) >= _GPUS
            up.send_signal(signal.SIGINT)
            rest, _ = up.communicate(timeout=_END_SECONDS)
        finally:
            up.kill()
    assert up.returncode == 0, rest
    assert f"simulated fleet: {_GPUS} GPUs scored" in "".join(lines)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]
