"""``gpu-health prepare``: topics, database schema and side inputs, once, before the roles start."""

from __future__ import annotations

import asyncio

import click

from streams.cli._settings import load_checked_settings


@click.command("prepare")
def command() -> None:
    """Make the topics, the database schema and the side inputs that the roles need; safe to run again.

    `gpu-health up` does this by itself; on a cluster run it once before the workers.

    \b
    Example:
      GPU_HEALTH_BROKER=kafka:9092 GPU_HEALTH_METRICS_DSN=postgresql://… gpu-health prepare
    """
    settings = load_checked_settings()
    from streams.setup import prepare

    asyncio.run(prepare(settings, click.echo))
