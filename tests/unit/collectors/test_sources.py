"""What every source must do: raw messages under their keys, an end when told, no error for what is wrong outside.

A new source is one more entry of SOURCES.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.recordings import Recordings, read_recording
from collectors.scrape import Exporter, Exporters
from collectors.simulator.fleet import make_fleet
from collectors.simulator.pace import Pace, SimulatedFleet, SimulatedHistory
from collectors.simulator.world import World
from collectors.source import Source
from schemas.raw import HOST_PREFIX, decode
from tests.unit.collectors.kept import Kept, LoopClock

START = 1795526400.0
GONE = "http://127.0.0.1:1/metrics"


def recording(folder: Path) -> Source:
    path = folder / "scrape.prom"
    path.write_text('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",Hostname="n1"} 65\n')
    return Recordings(
        [path, path], key=lambda value: decode(value).gpu_id.encode(), read=lambda one: read_recording(one, at=START)
    )


SOURCES: dict[str, Callable[[Path], Source]] = {
    "exporters": lambda folder: Exporters([Exporter(GONE, "n1")], interval_seconds=0.2),
    "recordings": recording,
    "simulated fleet": lambda folder: SimulatedFleet(
        World(make_fleet(1, 2), ()), Pace(START, START), interval_seconds=0.2, duration_seconds=None
    ),
    "simulated history": lambda folder: SimulatedHistory(
        World(make_fleet(1, 2), ()), START, seconds=7 * 86_400.0, interval_seconds=10.0
    ),
}
each = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)


@each
async def test_a_source_gives_raw_messages_under_their_keys(make: Callable[[Path], Source], tmp_path: Path) -> None:
    kept = Kept(calls=2)
    async with asyncio.timeout(10.0):
        await make(tmp_path).run(kept, clock=LoopClock(START), stop=kept.ending)
    records = [record for take in kept.takes for record in take]
    assert records
    for key, value in records:
        message = decode(value)
        assert key == message.gpu_id.encode()
        assert message.host_id
        assert message.timestamp is not None


@each
async def test_a_source_ends_soon_after_it_is_told_to(make: Callable[[Path], Source], tmp_path: Path) -> None:
    kept = Kept(calls=1)
    async with asyncio.timeout(5.0):
        assert await make(tmp_path).run(kept, clock=LoopClock(START), stop=kept.ending)
    assert len(kept.takes) <= 3


async def test_a_source_that_is_asked_never_waits_for_the_broker_and_tells_what_is_away(tmp_path: Path) -> None:
    kept = Kept(calls=2)
    await SOURCES["exporters"](tmp_path).run(kept, clock=LoopClock(START), stop=kept.ending)
    assert kept.offered == len(kept.takes) == 2
    (told,) = {decode(value).gpu_id for value in kept.values}
    assert told == f"{HOST_PREFIX}n1"
    assert {decode(value).metrics["exporter_up"] for value in kept.values} == {0.0}
