"""The supervisor starts, restarts and ends its processes; however it ends, none of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from schemas.errors import ShutdownError
from streams.embedded.data_dir_lock import DataDirLock
from streams.embedded.run_file import ProcessState, RunState, read_run
from streams.embedded.stack import Stack
from streams.settings import Settings

T = TypeVar("T")
_ROOT = Path(__file__).parents[2]
_START_SECONDS = 60.0
_END_SECONDS = 30.0


def _poll(look: Callable[[], T | None], seconds: float, what: str) -> T:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return found


def _runs(pid: int) -> bool:
    # A zombie has ended; where nothing reaps orphans, as in some containers, it stays in the list.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class _Supervisor:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        environment = {**os.environ, "GPU_HEALTH_DATA_DIR": str(data_dir), "GPU_HEALTH_BROKER_HEAP_MIB": "256"}
        command = [sys.executable, "-m", "tests.integration.stack_process"]
        self.process = subprocess.Popen(command, env=environment, cwd=_ROOT)
        self.seen: set[int] = set()

    def all_running(self, names: frozenset[str] = frozenset({"kafka", "postgres", "waits"})) -> RunState:
        """Wait until all its processes run; remember them and all their children."""

        def look() -> RunState | None:
            assert self.process.poll() is None, "the supervisor ended"
            run = read_run(self.data_dir)
            up = {one.name for one in run.processes if one.state == "running"} if run is not None else set()
            return run if names <= up else None

        run = _poll(look, _START_SECONDS, "all processes run")
        self.seen |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        return run

    def none_left(self) -> None:
        """Wait until every process that was ever seen is gone."""

        def look() -> bool | None:
            return None if any(_runs(pid) for pid in self.seen) else True

        _poll(look, _END_SECONDS, "no process is left")
        assert len(self.seen) > 3, "Kafka, PostgreSQL with children of its own, and the worker"


@pytest.fixture
def supervisor(server_folder: Path) -> Iterator[_Supervisor]:
    one = _Supervisor(server_folder)
    yield one
    one.process.kill()
    one.process.wait()


def _process(run: RunState, name: str) -> ProcessState:
    return next(one for one in run.processes if one.name == name)


def test_what_ends_is_started_again_and_counted_and_a_stop_leaves_nothing(supervisor: _Supervisor) -> None:
    first = supervisor.all_running()
    with pytest.raises(ShutdownError, match=f"in use by process {supervisor.process.pid}"):
        DataDirLock(supervisor.data_dir).__enter__()

    for name in ("waits", "kafka"):
        killed = _process(first, name).pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        def again(name: str = name, killed: int = killed) -> ProcessState | None:
            run = read_run(supervisor.data_dir)
            now = _process(run, name) if run is not None else None
            return now if now is not None and now.state == "running" and now.pid != killed else None

        restarted = _poll(again, _START_SECONDS, f"{name} is started again")
        assert restarted.restarts == 1
        assert "was killed by SIGKILL" in restarted.last_exit

    last = supervisor.all_running()
    assert last.broker == first.broker, "clients know the broker by this address"
    supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.process.wait(_END_SECONDS) == 0
    supervisor.none_left()
    assert read_run(supervisor.data_dir) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
def test_a_killed_supervisor_leaves_nothing_and_the_next_starts_at_once(supervisor: _Supervisor) -> None:
    first = supervisor.all_running()
    supervisor.process.kill()
    supervisor.process.wait()
    # At once: its servers may still be closing their files.
    following = _Supervisor(supervisor.data_dir)
    try:
        second = following.all_running()
        supervisor.none_left()
        assert second.broker == first.broker
    finally:
        following.process.kill()
        following.process.wait()
    following.none_left()


async def test_servers_that_are_set_are_used(settings: Settings) -> None:
    async with Stack(settings, simulated=True, report=lambda message: None) as stack:
        await stack.run("ends", [sys.executable, "-c", "raise SystemExit('told why')"])
        run = stack.describe()
        assert [one.name for one in run.processes] == ["ends"]
        assert (run.broker, run.broker_embedded, run.database_embedded) == (settings.broker, False, False)
        assert run.simulated
        watching = asyncio.create_task(stack.watch())
        async with asyncio.timeout(30.0):
            while stack.describe().processes[0].restarts < 2:  # noqa: ASYNC110 - a process ends: no event
                await asyncio.sleep(0.05)
        watching.cancel()
        assert stack.describe().processes[0].last_exit.startswith("ends ended with code 1")
        assert "told why" in Path(stack.describe().processes[0].log).read_text()
