"""All checks in the order of the data's way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.clock import SystemClock
from streams.doctor.broker import check_broker
from streams.doctor.database import check_databases
from streams.doctor.exporter import check_exporter
from streams.doctor.finding import Finding
from streams.doctor.settings import check_settings
from streams.feeding.collecting import scrape_access
from streams.settings import Settings


async def diagnose(settings: Settings, urls: Sequence[str], parts: Sequence[str]) -> list[Finding]:
    """Return the findings of ``parts`` (settings, exporter, broker, database; empty: all that are set)."""
    wanted = set(parts) or {"settings", "exporter", "broker", "database"}
    findings: list[Finding] = []
    if "settings" in wanted:
        findings.extend(check_settings(settings))
    if "exporter" in wanted:
        if urls:
            now = SystemClock().time()
            access = scrape_access(settings)
            for found in await asyncio.gather(*(check_exporter(url, now=now, access=access) for url in urls)):
                findings.extend(found)
        elif parts:
            findings.append(
                Finding(
                    check="exporter",
                    state="problem",
                    what="no exporter is named",
                    repair="--url http://host:9400/metrics",
                )
            )
    if "broker" in wanted:
        findings.extend(await check_broker(settings))
    if "database" in wanted:
        findings.extend(await check_databases(settings))
    return findings
