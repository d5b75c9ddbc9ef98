"""What must be there before a role starts: topics, database schema, side inputs."""

from __future__ import annotations

from collections.abc import Callable

from streams.settings import Settings


async def prepare(settings: Settings, report: Callable[[str], None]) -> None:
    """Make what is missing; report each step, and what is there but differs."""
    from streams.db.migrate import migrate
    from streams.inputs.publishing import publish_files
    from streams.kafka.topics import ensure_topics
    from streams.roles.view_tables import changelog_specs

    for difference in await ensure_topics(settings, changelog_specs(settings)):
        report(f"warning: {difference}")
    report("topics are there")
    applied = (await migrate(settings)).applied
    report(f"database schema is there ({len(applied)} migrations applied)")
    await publish_files(settings)
    report("side inputs are published")
