"""Side inputs on a real broker: versions, effect in event time, two publishers at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from math import inf
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import INPUTS
from streams.doctor.settings import check_inputs
from streams.inputs.publishing import LEAD_SECONDS, Publication, publish, publish_all, publish_files
from streams.inputs.reading import InputsReader
from streams.kafka.clients import client_options
from streams.settings import Settings

NOW = 1_770_000_000.0


class Limit(msgspec.Struct, frozen=True):
    """A payload."""

    celsius: float


class FixedClock:
    """Time that stands still."""

    def time(self) -> float:
        """Return epoch seconds."""
        return NOW

    def monotonic(self) -> float:
        """Return seconds."""
        return NOW


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[InputsReader]:
    """Open a reader."""
    failures: list[BaseException] = []
    reader = InputsReader(settings, {"limit": msgspec.json.Decoder(Limit).decode}, fail=failures.append)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
    assert failures == []


async def test_a_first_version_holds_from_the_beginning_of_time(topics: Settings) -> None:
    """A later one from its own time on; what did not change is not published again."""
    assert await publish(topics, "limit", "default", Limit(80.0), clock=FixedClock()) == 1
    assert await publish(topics, "limit", "default", Limit(80.0), clock=FixedClock()) == 1
    assert await publish(topics, "limit", "default", Limit(85.0), clock=FixedClock()) == 2
    assert await publish(topics, "limit", "default", Limit(90.0), NOW + 1000.0, clock=FixedClock()) == 3
    assert await publish(topics, "limit", "other", Limit(1.0), clock=FixedClock()) == 1
    async with reading(topics) as reader:
        table = reader.table
        assert table.newest("limit", "default", 0.0) == (1, Limit(80.0))
        assert table.newest("limit", "default", NOW + LEAD_SECONDS - 1) == (1, Limit(80.0))
        assert table.newest("limit", "default", NOW + LEAD_SECONDS) == (2, Limit(85.0))
        assert table.newest("limit", "default", NOW + 2000.0) == (3, Limit(90.0))
        assert table.newest("limit", "none", NOW) is None
        assert table.next_change(NOW) == NOW + LEAD_SECONDS
        assert table.next_change(NOW + LEAD_SECONDS) == NOW + 1000.0
        assert table.next_change(NOW + 1000.0) == inf


async def test_the_reader_follows(topics: Settings) -> None:
    """What is published later arrives, and the generation grows."""
    async with reading(topics) as reader:
        before = reader.table.generation()
        assert reader.table.newest("limit", "default", NOW) is None
        await publish(topics, "limit", "default", Limit(80.0))
        deadline = monotonic() + 20.0
        while reader.table.newest("limit", "default", NOW) is None:
            assert monotonic() < deadline, "the version did not arrive"
            await asyncio.sleep(0.02)
        assert reader.table.generation() > before


@pytest.mark.expected_errors
async def test_two_publishers_do_not_give_one_version_twice(topics: Settings) -> None:
    """Both payloads are published, under different versions."""
    found = await asyncio.gather(
        *(publish(topics, "limit", "default", Limit(float(number)), clock=FixedClock()) for number in range(2))
    )
    assert sorted(found) == [1, 2]
    gc.collect()  # A fenced producer of aiokafka leaves a future whose error is logged when it is collected.


async def test_several_are_published_together(topics: Settings) -> None:
    """Two new versions of one input within a call take two numbers."""
    wanted = [Publication("limit", "a", Limit(1.0)), Publication("limit", "a", Limit(2.0))]
    assert await publish_all(topics, wanted, clock=FixedClock()) == [1, 2]


async def test_a_tombstone_takes_a_version_away(topics: Settings) -> None:
    """The version before it is in effect again."""
    await publish(topics, "limit", "default", Limit(1.0))
    await publish(topics, "limit", "default", Limit(2.0), NOW)
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    key = msgspec.json.encode({"kind": "limit", "id": "default", "version": 2})
    await producer.send_and_wait(topics.topic(INPUTS), key=key, value=None, partition=0)
    await producer.stop()
    async with reading(topics) as reader:
        assert reader.table.newest("limit", "default", NOW) == (1, Limit(1.0))


async def test_an_unreadable_record_is_left_out(topics: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Foreign keys, damaged values, kinds of a later version: told or ignored, never the end of the worker."""
    await publish(topics, "limit", "default", Limit(80.0))
    await publish(topics, "of-the-future", "x", {"a": 1})
    producer = AIOKafkaProducer(**client_options(topics))
    await producer.start()
    good = msgspec.json.encode({"kind": "limit", "id": "default", "version": 9})
    for key, value in ((b"\xff", b"{}"), (good, b"{"), (good, b'{"kind":"limit"}')):
        await producer.send_and_wait(topics.topic(INPUTS), key=key, value=value, partition=0)
    await producer.stop()
    async with reading(topics) as reader:
        assert reader.table.newest("limit", "default", NOW) == (1, Limit(80.0))
        assert reader.table.newest("of-the-future", "x", NOW) == (1, b'{"a":1}')  # kept as it is
    assert sum("left out" in record.message for record in caplog.records) == 3


async def test_a_kind_that_is_not_known_here_is_told_once_and_stays(
    topics: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for celsius in (30, 31):
        await publish(topics, "weather", "default", {"celsius": celsius}, clock=FixedClock())
    await publish(topics, "limit", "default", Limit(80.0), clock=FixedClock())
    async with reading(topics) as reader:
        assert reader.table.newest("limit", "default", NOW) == (1, Limit(80.0))
        assert reader.table.unknown == {"weather": 2}
    assert [record.message for record in caplog.records if "weather" in record.message] == [
        f"{INPUTS} has side inputs of kind 'weather', which this version does not know: they are kept, not used"
    ]
    (finding,) = [one for one in await check_inputs(topics) if "weather" in one.what]
    assert (finding.state, finding.evidence[:10]) == ("warning", "2 versions")


async def test_a_changed_file_is_a_new_version_and_an_unchanged_one_is_not(topics: Settings, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    text = files("models.economics").joinpath("prices.toml").read_text()
    path.write_text(text)
    settings = topics.model_copy(update={"prices": path})
    assert set((await publish_files(settings)).values()) == {1}
    assert set((await publish_files(settings)).values()) == {1}
    path.write_text(text.replace("horizon_months = ", "horizon_months = 1"))
    assert (await publish_files(settings))["prices"] == 2
