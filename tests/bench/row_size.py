"""Measure what a raw row takes on disk, indexes included: ``python -m tests.bench.row_size DSN``

DSN is a server where a database ``row_size`` may be created and dropped. Prints bytes a row, and a day's size
for fleets that report every 10 seconds.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
from pydantic import SecretStr

from schemas.signals import SIGNALS
from schemas.topics import METRICS_RAW
from streams.db.migrate import migrate
from streams.db.writer import Record, Writer
from streams.settings import Settings

GPUS = 50
TICKS = 400
INTERVAL_SECONDS = 10
_GUIDE = (
    ("DCGM_FI_DEV_GPU_TEMP", 65.0),
    ("DCGM_FI_DEV_MEM_TEMP", 72.0),
    ("DCGM_FI_DEV_POWER_USAGE", 512.25),
    ("DCGM_FI_DEV_POWER_LIMIT", 700.0),
    ("DCGM_FI_DEV_GPU_UTIL", 97.0),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", 41.0),
    ("DCGM_FI_DEV_FB_USED", 71_234.0),
    ("DCGM_FI_DEV_FB_TOTAL", 81_559.0),
    ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", 0.0),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 0.0),
    ("DCGM_FI_DEV_SM_CLOCK", 1_980.0),
    ("DCGM_FI_DEV_MEM_CLOCK", 2_619.0),
    ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", 4.0),
)
_BLANK = [signal.name for signal in SIGNALS if signal.name.startswith("nvlink_") and "ber" in signal.name]


def messages(full: bool) -> Iterator[bytes]:
    """Yield one message a GPU and tick, as the guide sends it or with every signal, 18 links and labels."""
    chance = random.Random(1)
    start = datetime.now(UTC) - timedelta(hours=2)  # too young for the policy of compression
    for tick in range(TICKS):
        at = start + timedelta(seconds=tick * INTERVAL_SECONDS, microseconds=chance.randrange(1000))
        for gpu in range(GPUS):
            message: dict[str, Any] = {
                "timestamp": at.isoformat(),
                "gpu_id": f"GPU-{gpu:08d}-0000-1111-2222-333344445555",
                "host_id": f"gpu-node-{gpu // 8:03d}",
            }
            if full:
                metrics: dict[str, float | None] = {
                    signal.name: round(chance.uniform(max(signal.low, 0.0), min(signal.high, 1e3)), 3)
                    for signal in SIGNALS
                    if signal.name not in _BLANK
                }
                metrics |= {"ecc_mode": 1.0, **dict.fromkeys(_BLANK)}
                message |= {
                    "metrics": metrics,
                    "labels": {
                        "model": "NVIDIA H100 80GB HBM3",
                        "serial": f"16{gpu:011d}",
                        "pod": f"job-{tick // 100}",
                    },
                    "interval_seconds": INTERVAL_SECONDS,
                    "source": "dcgm",
                }
            else:
                message["metrics"] = {name: value + chance.randrange(3) for name, value in _GUIDE}
            yield msgspec.json.encode(message)


async def measure(server: str, full: bool) -> tuple[float, float, float, float | None]:
    """Return bytes a row in the table and in its indexes, rows stored a second, and bytes a row once compressed.

    The last is None on plain PostgreSQL.
    """
    admin = await asyncpg.connect(server)
    await admin.execute("DROP DATABASE IF EXISTS row_size")
    await admin.execute("CREATE DATABASE row_size")
    dsn = urlunsplit(urlsplit(server)._replace(path="/row_size"))
    await migrate(Settings(metrics_dsn=SecretStr(dsn)))
    writer = Writer(dsn, timedelta(days=36_500), time.monotonic)
    started = time.perf_counter()
    for offset, value in enumerate(messages(full)):
        writer.add(Record(METRICS_RAW, 0, offset, int(1000 * time.time()), None, value))
        if writer.pending == 5_000:
            await writer.flush()
    await writer.flush()
    elapsed = time.perf_counter() - started
    await writer.close()
    database = await asyncpg.connect(dsn)
    rows = await database.fetchval("SELECT count(*) FROM gpu_health_metrics")
    assert rows == GPUS * TICKS
    compressed = None
    if await database.fetchval("SELECT to_regproc('gpu_ensure_partitions') IS NOT NULL"):
        heap, total = await _sizes(
            database,
            "SELECT sum(pg_table_size(relid)), sum(pg_total_relation_size(relid)) "
            "FROM pg_partition_tree('gpu_health_metrics') WHERE isleaf",
        )
    else:
        heap, total = await _sizes(
            database,
            "SELECT sum(table_bytes + coalesce(toast_bytes, 0)), sum(total_bytes) "
            "FROM chunks_detailed_size('gpu_health_metrics')",
        )
        await database.fetch("SELECT compress_chunk(c) FROM show_chunks('gpu_health_metrics') c")
        compressed = float(await database.fetchval("SELECT hypertable_size('gpu_health_metrics')")) / rows
    await database.close()
    await admin.execute("DROP DATABASE row_size")
    await admin.close()
    return heap / rows, (total - heap) / rows, rows / elapsed, compressed


async def _sizes(database: Any, query: str) -> tuple[float, float]:
    heap, total = await database.fetchrow(query)
    return float(heap), float(total)


async def main(server: str) -> None:
    """Print both messages' figures."""
    for name, full in (("guide", False), ("full", True)):
        heap, index, speed, compressed = await measure(server, full)
        example = next(messages(full))
        print(f"{name}: message {len(example)} B; row {heap:.0f} B + indexes {index:.0f} B = {heap + index:.0f} B")
        for gpus in (50, 10_000):
            rows = gpus * 86_400 / INTERVAL_SECONDS
            print(f"  {gpus:6d} GPUs: {rows / 1e6:.2f} M rows, {(heap + index) * rows / 1e9:.2f} GB a day")
        if compressed is not None:
            print(f"  compressed: {compressed:.0f} B")
        print(f"  decoded, made into rows and stored: {speed:,.0f} a second")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
