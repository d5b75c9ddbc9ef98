"""``gpu-health worker``: one role in this process."""

from __future__ import annotations

import os
import sys

import click

from schemas.errors import ShutdownError
from streams.cli._settings import load_connected_settings


@click.command("worker")
@click.option("--role", required=True, help="score, view, store or notify.")
def command(role: str) -> None:
    """Run one role until it is told to stop (SIGTERM, Ctrl-C).

    Several workers of one role share its partitions. Exits with 1 when its state cannot be trusted any
    more: start it again, it goes on from its last checkpoint.

    \b
    Example:
      GPU_HEALTH_BROKER=kafka:9092 gpu-health worker --role score
    """
    import asyncio
    import logging

    from aiokafka.errors import KafkaError

    from streams.kafka.topics import ensure_topics
    from streams.roles.run import ROLES, run
    from streams.roles.view_tables import changelog_specs
    from streams.telemetry.logs import configure_logging
    from streams.user_files import check_user_files

    if role not in ROLES:
        raise click.UsageError(f"no role {role!r}; there are: {', '.join(ROLES)}")
    settings = load_connected_settings()
    if not settings.broker:
        raise click.UsageError("no broker: set GPU_HEALTH_BROKER, or start `gpu-health up`")
    check_user_files(settings, os.environ)
    configure_logging(settings, role)
    try:
        differences = asyncio.run(ensure_topics(settings, changelog_specs(settings)))
    except KafkaError as error:
        raise ShutdownError(f"the broker at {settings.broker} does not answer: {error}") from error
    for difference in differences:
        logging.getLogger(__name__).warning("%s", difference)
    sys.exit(run(role, settings))
