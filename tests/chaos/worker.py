"""A worker process of role score with the counting logic: ``python -m tests.chaos.worker``."""

from __future__ import annotations

import logging
import sys

import faust

from schemas.topics import METRICS_RAW, STATE
from streams.app import create_app
from streams.clock import SystemClock
from streams.owned_partitions import OwnedPartitions
from streams.roles import serve
from streams.settings import Settings
from tests.chaos.counting import CountingLogic


def build() -> faust.App:
    """Return the app."""
    settings = Settings()
    app = create_app("score", settings)
    OwnedPartitions(
        app,
        settings,
        role="score",
        topic=METRICS_RAW,
        table_topic=STATE,
        make_logic=lambda partition, partitions: CountingLogic(partition),
        clock=SystemClock(),
    ).attach()
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(serve(build))
