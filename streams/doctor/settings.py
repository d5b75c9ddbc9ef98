"""Can every file and address that the settings name be used, and is anything published that nobody knows."""

from __future__ import annotations

import os

from agents.score.side_inputs import KINDS
from streams.doctor.finding import Finding
from streams.inputs.publishing import read_published
from streams.settings import Settings
from streams.user_files import problems


def check_settings(settings: Settings) -> list[Finding]:
    """Return a finding for each file and address that cannot be used."""
    found = [
        Finding(check="settings", state="problem", what=problem, repair="correct it; nothing starts with it")
        for problem in problems(settings, os.environ)
    ]
    return found or [Finding(check="settings", state="ok", what="every file and address can be used")]


async def check_inputs(settings: Settings) -> list[Finding]:
    """Return a finding for each kind of side input that this version does not know.

    Raises
    ------
    aiokafka.errors.KafkaError
        The broker is away.
    """
    published = (await read_published(settings)).unknown
    known = {kind.name for kind in KINDS}
    return [
        Finding(
            check="inputs",
            state="warning",
            what=f"side inputs of kind {kind!r} are not known to this version",
            evidence=f"{count} versions on the topic; they are kept, and used by no worker of this version",
            repair="a later version publishes them: upgrade the workers",
        )
        for kind, count in published.items()
        if kind not in known
    ]
