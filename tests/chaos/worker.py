"""A worker process of role score with the counting logic: ``python -m tests.chaos.worker``."""

from __future__ import annotations

import logging
import sys

import faust

from schemas.topics import METRICS_RAW, STATE
from streams.clock import SystemClock
from streams.hot_state.owned_partitions import OwnedPartitions
from streams.roles.run import serve
from streams.settings import Settings
from streams.transport.app import create_app
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
