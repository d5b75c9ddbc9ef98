"""The leader without a broker: what is committed, and that no task of it ends unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agents.ports import Checkpoint, Output
from streams.clock import SystemClock
from streams.leading import leader as module
from streams.leading.leader import Leader
from streams.leading.lease import Lease
from streams.leading.port import Scope
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from tests.unit.streams.hot_state.memory_table import MemoryLog, MemoryTable

SCOPE = Scope("learn", elects="in", topics=("in",), state_topic="state")


class Reader:
    """One partition with one record, read to its end at the first poll."""

    def __init__(self, **options: Any) -> None:
        self.at = 0
        self.stopped = False

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""
        self.stopped = True

    def assign(self, partitions: Iterable[Any]) -> None:
        """Read these."""
        self.partitions = list(partitions)

    def seek(self, partition: Any, offset: int) -> None:
        """Go on from there."""
        self.at = offset

    async def getmany(self, **options: Any) -> dict[Any, list[Any]]:
        """Return the one record, once."""
        await asyncio.sleep(0)
        if self.at:
            return {}
        self.at = 1
        return {self.partitions[0]: [SimpleNamespace(topic="in", offset=0, timestamp=1000, key=b"k", value=b"v")]}

    async def position(self, partition: Any) -> int:
        """Return the next offset."""
        return self.at

    def last_stable_offset(self, partition: Any) -> int:
        """Return the end."""
        return 1

    def last_poll_timestamp(self, partition: Any) -> int:
        """Return the time of the last fetch."""
        return 2000


class Echo:
    """A role that publishes what it reads."""

    def __init__(self, work: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        self.calls: list[str] = []
        self.waits: list[Output] = []
        self.pending = False
        self.urgent = True
        self._work = work

    @property
    def dirty(self) -> bool:
        """Whether anything waits."""
        return bool(self.waits)

    def restore(self, key: bytes, value: bytes) -> None:
        """Take nothing."""

    def restored(self, *, fresh: bool) -> None:
        """Note it."""
        self.calls.append(f"restored fresh={fresh}")

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Publish it again."""
        self.pending = True
        self.waits.append(Output("out", key or b"", value))

    def advance(self, clock: float) -> None:
        """Decide."""
        if self.pending:
            self.calls.append(f"advance {clock}")
        self.pending = False

    def drain(self) -> Checkpoint:
        """Return what waits."""
        waits, self.waits = self.waits, []
        return Checkpoint(waits)

    def committed(self) -> None:
        """Note it."""
        self.calls.append("committed")

    def work(self, lease: Lease) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return what runs beside."""
        self.lease = lease
        return self._work


class JumpingClock(SystemClock):
    """A clock that can be put forward, as it stands after the process stood still."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        """Return seconds."""
        return super().monotonic() + self.ahead


class Desk:
    """A leader on fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **work: Coroutine[Any, Any, None]) -> None:
        self.clock = JumpingClock()
        log = MemoryLog()
        log.create("in")
        self.table = MemoryTable(log)
        self.reader = Reader()
        self.failures: list[BaseException] = []
        self.led = Echo(work)
        settings = Settings()
        monkeypatch.setattr(module, "AIOKafkaConsumer", lambda **options: self.reader)
        monkeypatch.setattr(module, "HotTable", lambda *args, **options: self.table)
        monkeypatch.setattr(module, "topic_identities", self._identities)
        self.leader = Leader(
            settings,
            SCOPE,
            self.led,
            clock=self.clock,
            telemetry=Telemetry("learn"),
            fail=self.failures.append,
        )

    @staticmethod
    async def _identities(reader: Any, names: Iterable[str]) -> dict[str, Any]:
        return {name: SimpleNamespace(partitions=1) for name in names}


async def until(true: Callable[[], object]) -> None:
    """Wait until ``true()``."""
    async with asyncio.timeout(5.0):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def task(name: str) -> asyncio.Task[Any]:
    """Return the running task of that name."""
    return next(one for one in asyncio.all_tasks() if one.get_name() == name)


async def wait_for_ever() -> None:
    """Work."""
    await asyncio.Event().wait()


async def test_what_is_read_is_decided_and_committed_with_its_position(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, send=wait_for_ever())
    await desk.leader.open()
    await until(lambda: "committed" in desk.led.calls)
    await desk.leader.close()
    assert desk.led.calls == ["restored fresh=True", "advance 2.0", "committed"]
    first, (checkpoint, positions, extra) = desk.table.commits
    assert first == (Checkpoint(), {("in", 0): 0}, {"decided": False})
    assert (checkpoint.outputs, positions, extra) == ([Output("out", b"k", b"v")], {("in", 0): 1}, {"decided": True})
    assert desk.failures == []


@pytest.mark.parametrize("error", [RecursionError("nested"), ValueError("no"), msgspec.DecodeError("no JSON")])
async def test_a_record_that_cannot_be_read_is_counted_and_passed_by(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    desk = Desk(monkeypatch, send=wait_for_ever())

    def take(topic: str, key: bytes | None, value: bytes | None) -> None:
        raise error

    monkeypatch.setattr(desk.led, "take", take)
    await desk.leader.open()
    await until(lambda: len(desk.table.commits) == 2)
    await desk.leader.close()
    assert desk.table.commits[-1][1] == {("in", 0): 1}
    assert desk.failures == []
    assert "cannot be read" in caplog.text
    caplog.clear()


async def test_a_reading_that_was_cancelled_ends_the_process_and_closes_without_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    await desk.leader.open()
    task("learn: follow").cancel()
    await until(lambda: desk.failures)
    committed = len(desk.table.commits)
    desk.led.waits.append(Output("out", b"", None))
    await desk.leader.close()
    assert [str(error) for error in desk.failures] == ["learn: follow: cancelled while it was needed"]
    assert len(desk.table.commits) == committed
    assert desk.reader.stopped
    assert desk.table.closed


async def test_work_that_fails_or_ends_ends_the_process_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise OSError("no route")

    async def ends() -> None:
        pass

    desk = Desk(monkeypatch, send=fails(), train=ends())
    await desk.leader.open()
    await until(lambda: len(desk.failures) == 2)
    await desk.leader.close()
    assert [str(error) for error in desk.failures] == ["no route", "learn: train: ended while it was needed"]


async def test_a_leader_that_stood_still_proves_that_it_leads_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    await desk.leader.open()
    await until(lambda: len(desk.table.commits) == 2)
    known = len(desk.table.commits)
    await asyncio.sleep(0.3)
    assert len(desk.table.commits) == known  # nothing moves: nothing is written
    desk.clock.ahead += 60.0
    await asyncio.wait_for(desk.led.lease.hold(), 5.0)
    assert len(desk.table.commits) > known
    assert desk.failures == []
    await desk.leader.close()


async def test_a_leader_that_was_replaced_while_it_stood_still_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    await desk.leader.open()
    await until(lambda: len(desk.table.commits) == 2)
    desk.table.log.owner += 1  # another one was elected
    desk.clock.ahead += 60.0
    sending = asyncio.create_task(desk.led.lease.hold())
    await until(lambda: desk.failures)
    assert not sending.done()
    sending.cancel()
    assert "ProducerFenced" in type(desk.failures[0]).__name__
    await desk.leader.close(commit=False)
