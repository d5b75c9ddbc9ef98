"""What a hot table promises: one suite for the fake of the unit tests and for the real one on a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import pytest
from aiokafka.errors import KafkaError

from agents.ports import Checkpoint, Output
from schemas.errors import ShutdownError
from schemas.topics import ALERTS, INPUTS, METRICS_RAW
from streams.hot_state.table import Restored, StateTable

RAW_0: Final = (METRICS_RAW, 0)
INPUTS_0: Final = (INPUTS, 0)


class Ground(Protocol):
    """Where tables of one partition live; its topics METRICS_RAW, INPUTS and ALERTS exist and are empty."""

    def table(self) -> StateTable:
        """Return a table, not opened; all of them are of the same partition."""

    async def fill_raw(self, count: int) -> None:
        """Put ``count`` records into partition 0 of METRICS_RAW."""

    async def recreate_raw(self) -> None:
        """Delete METRICS_RAW and create it again."""

    async def alerts(self) -> list[bytes | None]:
        """Return the committed values of ALERTS."""


Opened = tuple[StateTable, Restored, dict[bytes, bytes]]


@asynccontextmanager
async def opened(ground: Ground, *inputs: tuple[str, int]) -> AsyncIterator[Opened]:
    """Open a table made from ``inputs`` (default: RAW_0), with what it restored."""
    states: dict[bytes, bytes] = {}
    table = ground.table()
    try:
        restored = await table.open(inputs or (RAW_0,), states.__setitem__)
        yield table, restored, states
    finally:
        await table.close()


class HotTableContract:
    """Subclasses have a fixture ``ground``."""

    async def test_states_and_position_come_back(self, ground: Ground) -> None:
        """The newest value of each key, without tombstones; the position; what was stored beside it."""
        await ground.fill_raw(20)
        async with opened(ground) as (table, restored, states):
            assert restored == Restored({RAW_0: 0}, {}, fresh=True)
            assert states == {}
            await table.checkpoint(Checkpoint(states=[(b"a", b"1"), (b"b", b"1")]), {RAW_0: 7}, {"adopted": 1})
            newer: list[tuple[bytes, bytes | None]] = [(b"a", b"2"), (b"b", None), (b"c", b"3")]
            await table.checkpoint(Checkpoint(states=newer), {RAW_0: 9}, {"adopted": 2})
        async with opened(ground) as (_, restored, states):
            assert restored == Restored({RAW_0: 9}, {"adopted": 2}, fresh=False)
            assert states == {b"a": b"2", b"c": b"3"}

    async def test_of_two_values_of_a_key_the_later_counts(self, ground: Ground) -> None:
        async with opened(ground) as (table, _, _):
            twice: list[tuple[bytes, bytes | None]] = [(b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", None)]
            await table.checkpoint(Checkpoint(states=twice), {RAW_0: 0}, {})
        async with opened(ground) as (_, _, states):
            assert states == {b"a": b"2"}

    async def test_a_checkpoint_of_nothing_makes_the_position_known(self, ground: Ground) -> None:
        async with opened(ground) as (table, _, _):
            await table.checkpoint(Checkpoint(), {RAW_0: 0}, {})
        async with opened(ground) as (_, restored, _):
            assert not restored.fresh

    async def test_an_input_that_is_new_begins_at_its_beginning(self, ground: Ground) -> None:
        await ground.fill_raw(5)
        async with opened(ground) as (table, _, _):
            await table.checkpoint(Checkpoint(), {RAW_0: 5}, {})
        async with opened(ground, RAW_0, INPUTS_0) as (_, restored, _):
            assert restored.positions == {RAW_0: 5, INPUTS_0: 0}

    async def test_outputs_are_committed_with_the_state(self, ground: Ground) -> None:
        async with opened(ground) as (table, _, _):
            outputs = [Output(ALERTS, b"a", b"1"), Output(ALERTS, b"a", b"2")]
            await table.checkpoint(Checkpoint(outputs, [(b"a", b"2")]), {RAW_0: 0}, {})
            assert await ground.alerts() == [b"1", b"2"]

    @pytest.mark.expected_errors
    @pytest.mark.usefixtures("errors_collected")
    async def test_the_older_owner_is_fenced(self, ground: Ground) -> None:
        """Nothing of a zombie's counts, and its table is of no use any more."""
        async with opened(ground) as (zombie, _, _):
            await zombie.checkpoint(Checkpoint(states=[(b"a", b"1")]), {RAW_0: 0}, {})
            async with opened(ground) as (owner, _, _):
                said = Checkpoint([Output(ALERTS, b"a", b"of the zombie")], [(b"a", b"zombie")])
                with pytest.raises(KafkaError):
                    await zombie.checkpoint(said, {RAW_0: 0}, {})
                with pytest.raises(ShutdownError, match="earlier checkpoint failed"):
                    await zombie.checkpoint(Checkpoint(), {RAW_0: 0}, {})
                await owner.checkpoint(Checkpoint(states=[(b"b", b"2")]), {RAW_0: 0}, {})
        async with opened(ground) as (_, _, states):
            assert states == {b"a": b"1", b"b": b"2"}
        assert await ground.alerts() == []

    async def test_a_table_that_is_not_open_takes_nothing(self, ground: Ground) -> None:
        table = ground.table()
        with pytest.raises(RuntimeError, match="not open"):
            await table.checkpoint(Checkpoint(), {RAW_0: 0}, {})
        async with opened(ground) as (table, _, _):
            pass
        with pytest.raises(RuntimeError, match="not open"):
            await table.checkpoint(Checkpoint(), {RAW_0: 0}, {})

    async def test_a_position_beyond_the_end_stops_the_worker(self, ground: Ground) -> None:
        """The raw topic lost records: nothing is silently skipped."""
        await ground.fill_raw(10)
        async with opened(ground) as (table, _, _):
            await table.checkpoint(Checkpoint(), {RAW_0: 11}, {})
        with pytest.raises(ShutdownError, match=r"ends at 10.*up to 11"):
            async with opened(ground):
                pass

    async def test_a_recreated_input_stops_the_worker(self, ground: Ground) -> None:
        """Also where the new topic is longer than the old: its id is another."""
        await ground.fill_raw(10)
        async with opened(ground) as (table, _, _):
            await table.checkpoint(Checkpoint(), {RAW_0: 10}, {})
        await ground.recreate_raw()
        await ground.fill_raw(30)
        with pytest.raises(ShutdownError, match="deleted and created again"):
            async with opened(ground):
                pass
