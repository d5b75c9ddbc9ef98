"""What senders get wrong does not stop the store: refused messages give no row, all others do."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.topics import METRICS_RAW
from streams.db.pool import Connection
from streams.db.writer import Writer
from tests.integration.bad_messages import accepted, large, message, noise, refused
from tests.integration.db.feeding import value

NOW = datetime.now(UTC).timestamp() - 600.0


async def test_hostile_messages_are_stored_and_bad_ones_are_not(writer: Writer, database: Connection) -> None:
    hostile = [*accepted("GPU-1", NOW), large("GPU-1", NOW + 30.0, 2_000_000)]
    hostile.append(message("GPU-1", NOW - 20 * 86_400.0))
    bad = [text for text, _ in refused(NOW)]
    for text in [*bad, *hostile, *noise(1000, seed=3)]:
        writer.add(value(METRICS_RAW, text, NOW))
    await writer.flush()
    assert writer.unreadable == {METRICS_RAW: len(bad) + 1000}
    assert await database.fetchval("SELECT count(*) FROM gpu_dead_letters") == 0
    rows = await database.fetch("SELECT gpu_id, labels FROM gpu_health_metrics")
    assert [row["gpu_id"] for row in rows] == ["GPU-1"] * len(hostile)
    texts = [text for row in rows for text in (row["labels"] or {}).values()]
    assert "<script>alert(1)</script>" in texts
    assert max(map(len, texts)) == 1024
