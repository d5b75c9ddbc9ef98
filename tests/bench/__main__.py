"""``make bench``: one table in one run. Ratios are the point: the machine may be shared and noisy."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streams.embedded.kafka import EmbeddedKafka
from streams.settings import Settings
from tests.bench import parts, release, scale
from tests.bench.compare import measure_kind
from tests.bench.messages import fleet
from tests.bench.table import table


async def compare(repeats: int, kinds: list[str], rounds: int) -> dict[str, Any]:
    """Print the table of each kind of message, and what the parts of the step take; return the figures."""
    names = ("faust-streaming", "aiokafka", "bytewax", "msgspec", "river", "numpy")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )
    results: dict[str, Any] = {}
    defaults = Settings()
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        released = release.unpack(folder / "release")
        server = EmbeddedKafka(
            folder / "kafka", cache_dir=defaults.cache_dir, maven_url=defaults.maven_url, heap_mib=512
        )
        await server.start()
        try:
            for kind in kinds:
                figures = await measure_kind(server.bootstrap, kind, repeats, rounds, released)
                size = sum(len(value) for _, value in fleet(kind, 100, 1)) / 100
                results[kind] = table(kind, figures, size)
        finally:
            await server.stop()
    for kind in kinds:
        results[kind]["parts"] = parts.measure(kind)
        print(f"\nRole score's loop over messages of {kind}, by part as it ran")
        for part, cost in results[kind]["parts"].items():
            print(f"  {part:28}{cost.microseconds:8.2f} us{cost.share:8.1%}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=120, help="Messages a GPU in each run")
    parser.add_argument("--kinds", nargs="+", default=["guide", "ours"], choices=["guide", "ours"])
    parser.add_argument(
        "--scale", action="store_true", help="60,000 and 100,000 GPUs on this machine, up to 4 minutes, and no table"
    )
    parser.add_argument("--scale-gpus", type=int, help="One fleet of this size instead")
    parser.add_argument("--scale-workers", type=int, default=1, choices=[1, 2])
    parser.add_argument("--scale-seconds", type=float, default=30.0, help="How long each fleet is measured")
    parser.add_argument("--json", type=Path, help="Write the figures here too")
    given = parser.parse_args()
    found: Any
    if given.scale:
        fleets = [(given.scale_gpus, given.scale_workers)] if given.scale_gpus else scale.FLEETS
        found = asyncio.run(scale.run(fleets, given.scale_seconds))
    else:
        found = asyncio.run(compare(given.repeats, given.kinds, given.rounds))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
