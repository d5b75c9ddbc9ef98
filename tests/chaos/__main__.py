"""``python -m tests.chaos --seconds 180 --seed 1``: the long run, on a broker of its own."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from streams.embedded.kafka import EmbeddedKafka
from streams.kafka.outages import limit_repeats
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.chaos.counting_truth import COUNTING
from tests.chaos.faults import FAULTS
from tests.chaos.run import Report, run_chaos
from tests.chaos.score_truth import SCORE

# For the same load on the machine: a step of role score and of its truth costs some hundred times a count.
_LOGICS = {"score": (SCORE, 500.0, 30_000), "counting": (COUNTING, 1000.0, 100_000)}


def main() -> int:
    """Run, print, and return 1 where anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long faults are done")
    parser.add_argument("--seed", type=int, default=1, help="order of the faults, and the load")
    parser.add_argument("--logic", choices=sorted(_LOGICS), default="score", help="what the workers run")
    parser.add_argument("--rate", type=float, help="samples a second; default: 500 of score, 1000 of counting")
    parser.add_argument("--backlog", type=int, help="samples of a backlog; default: 30,000 or 100,000")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--fault", action="append", choices=sorted(FAULTS), default=[], help="these alone")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    limit_repeats()
    folder = Path(tempfile.mkdtemp(prefix="gh-chaos-"))
    report = asyncio.run(_run(options, folder))
    print(
        f"{report.samples} samples, {report.records} records, {len(report.faults)} faults "
        f"({', '.join(report.faults)}), {report.worker_starts} starts of workers, "
        f"caught up in {report.catch_up_seconds:.0f} s, differences: {len(report.differences)}"
    )
    for line in report.differences[:20]:
        print(f"  {line}")
    if options.keep or report.differences:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.differences else 0


async def _run(options: argparse.Namespace, folder: Path) -> Report:
    defaults = Settings()
    broker = EmbeddedKafka(folder / "kafka", cache_dir=defaults.cache_dir, maven_url=defaults.maven_url)
    await broker.start()
    try:
        settings = Settings(
            broker=broker.bootstrap,
            topic_prefix=f"chaos-{uuid.uuid4().hex[:6]}-",
            partitions=options.partitions,
            session_timeout_seconds=6.0,
        )
        await ensure_topics(settings)
        subject, rate, backlog = _LOGICS[options.logic]
        return await run_chaos(
            settings,
            broker,
            folder,
            subject,
            seed=options.seed,
            seconds=options.seconds,
            faults=options.fault,
            rate=options.rate or rate,
            backlog=options.backlog or backlog,
            tell=lambda line: print(line, flush=True),
        )
    finally:
        await broker.stop()


if __name__ == "__main__":
    sys.exit(main())
