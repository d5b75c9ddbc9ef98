"""Live samples come in time order, none is left out, and none is from the future."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from collectors.simulator.faults import parse_faults
from collectors.simulator.fleet import make_fleet
from collectors.simulator.pace import Pace, SimulatedFleet
from collectors.simulator.world import World
from tests.unit.collectors.kept import Kept, LoopClock

START = 1795526400.0


async def run(
    pace: Pace, duration_seconds: float, faults: str = "none", now: float = START
) -> list[dict[str, object]]:
    world = World(make_fleet(1, 2), parse_faults(faults, seed=1, gpus=2, live_start=pace.start))
    kept = Kept()
    fleet = SimulatedFleet(world, pace, interval_seconds=10.0, duration_seconds=duration_seconds)
    await fleet.run(kept, clock=LoopClock(now), stop=asyncio.Event())
    return [orjson.loads(value) for value in kept.values]


async def test_log_lines_come_between_the_samples_of_their_time() -> None:
    found = await run(Pace(START, START, wait=False), 30.0, "ecc_uncorrected@1@12")
    stamps = [str(message["timestamp"])[17:23] for message in found]
    assert stamps == ["00.000"] * 3 + ["10.000"] * 3 + ["12.000", "12.090", "12.170"] + ["20.000"] * 3


async def test_late_ticks_are_sent_late_and_none_is_left_out() -> None:
    # The present is a minute on: everything up to it is due at once.
    found = await run(Pace(START, START + 60.0, speed=1e9), 60.0)
    assert len(found) == 6 * 3


async def test_what_fell_due_while_the_history_was_sent_comes_at_once() -> None:
    # Sending took 37 s since the present was told: four ticks are due, the fifth in 3 s.
    async with asyncio.timeout(2.0):
        assert len(await run(Pace(START, START), 40.0, now=START + 37.0)) == 4 * 3
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await run(Pace(START, START), 50.0, now=START + 37.0)


def test_no_sample_is_due_before_its_time_has_come() -> None:
    pace = Pace(START, START + 3_600.0, speed=2.0)
    assert pace.due_seconds(START + 3_600.0) == 1_800.0
    assert pace.due_seconds(START + 3_600.0 + 7_200.0) == 7_200.0


async def test_a_stopped_simulation_ends() -> None:
    kept = Kept(calls=1)
    fleet = SimulatedFleet(
        World(make_fleet(1, 1), ()), Pace(START, START), interval_seconds=3_600.0, duration_seconds=None
    )
    async with asyncio.timeout(10.0):
        await fleet.run(kept, clock=LoopClock(START), stop=kept.ending)
