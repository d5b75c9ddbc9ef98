"""A replay from the database loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from collectors.dcgm import messages
from collectors.exposition import parse_exposition
from schemas.errors import InvalidMessage
from schemas.raw import decode
from schemas.sample import Sample, to_sample
from streams.db.pool import open_pool
from streams.db.read_raw import raw_messages, stored_messages
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.feeding import raw
from tests.recorded import scrapes
from tests.unit.agents.store.test_raw_rows import FULL, same

# Within the retention: TimescaleDB's policy drops older rows at once.
START = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)


async def read(settings: Settings, start: datetime, end: datetime) -> list[Sample]:
    pool = await open_pool(settings.metrics_dsn.get_secret_value())
    try:
        return [
            to_sample(decode(message.value), message.append_time)
            async for message in stored_messages(pool, start, end)
        ]
    finally:
        await pool.close()


async def test_messages_come_back_by_gpu_and_time_as_the_same_samples(writer: Writer, migrated: Settings) -> None:
    sent: list[Sample] = []
    for gpu in ("GPU-2", "GPU-1", "host:node-1"):
        for tick in (3, 1, 2, 0):  # in any order of arrival
            at = START + timedelta(hours=9 * tick, microseconds=tick)
            labels = {"model": "H100", "pod": f"job-{tick // 2}"}
            fields = FULL | {"labels": labels}
            if gpu.startswith("host:"):
                fields = {"metrics": {"gpu_count": 8.0, "scrape_ok": float(tick)}}
            record = raw(at, gpu, **fields)
            writer.add(record)
            sent.append(to_sample(decode(record.value), record.time_ms / 1000))
        event = raw(START + timedelta(hours=10), gpu, metrics={}, events=FULL["events"])
        writer.add(event)
        sent.append(to_sample(decode(event.value), event.time_ms / 1000))
    await writer.flush()
    found = await read(migrated, START, START + timedelta(days=2))
    assert len(found) == len(sent) == 15
    for one, other in zip(sorted(sent, key=lambda s: (s.gpu_id, s.time)), found, strict=True):
        assert same(one, other)


async def test_only_the_range_is_read_and_its_labels_may_lie_before_it(writer: Writer, migrated: Settings) -> None:
    for tick in range(6):
        writer.add(raw(START + timedelta(seconds=10 * tick), labels={"pod": "a"}))
    await writer.flush()
    found = await read(migrated, START + timedelta(seconds=20), START + timedelta(seconds=40))
    assert [sample.time for sample in found] == [START.timestamp() + 20, START.timestamp() + 30]
    assert all(sample.labels == {"pod": "a"} for sample in found)


async def test_messages_are_in_the_guides_form(writer: Writer, migrated: Settings) -> None:
    writer.add(raw(START))
    await writer.flush()
    pool = await open_pool(migrated.metrics_dsn.get_secret_value())
    (message,) = [value async for value in raw_messages(pool, START, START + timedelta(seconds=1))]
    await pool.close()
    assert msgspec.json.decode(message) == {
        "timestamp": START.isoformat(),
        "gpu_id": "GPU-1",
        "host_id": "node-1",
        "metrics": {"gpu_temp_celsius": 60.0},
        "interval_seconds": 10.0,
    }


async def test_recorded_scrapes_come_back_as_the_same_samples(writer: Writer, migrated: Settings) -> None:
    sent: dict[tuple[str, float], Sample] = {}
    for number, file in enumerate(scrapes()):
        at = START + timedelta(minutes=number)
        text = file.read_text(encoding="utf-8", errors="replace")
        scrape = parse_exposition(text)
        for message in messages(
            scrape, host_id=f"h{number}", time=at.timestamp(), interval_seconds=10.0, source="dcgm"
        ):
            record = raw(at)
            record.value = msgspec.json.encode(message)
            try:
                sample = to_sample(decode(record.value), record.time_ms / 1000)
            except InvalidMessage:
                continue
            writer.add(record)
            sent.setdefault((sample.gpu_id, sample.time), sample)
    await writer.flush()
    assert writer.refused == {}
    found = await read(migrated, START, START + timedelta(days=1))
    assert len(found) == len(sent) > 0
    for sample in found:
        original = sent[sample.gpu_id, sample.time]
        counted = {"unknown": 0, "dropped": ()}
        assert same(msgspec.structs.replace(sample, **counted), msgspec.structs.replace(original, **counted))
