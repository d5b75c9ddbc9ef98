"""Does the exporter answer, does it send what the scores need, does its clock agree."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from collectors.access import OPEN, Access
from collectors.dcgm import messages, parse_exposition, row_kinds
from schemas.signals import ALIASES
from schemas.user_file import UserFileError
from streams.doctor.finding import Finding

_TIMEOUT_SECONDS: Final = 8.0
_CLOCK_SECONDS: Final = 5.0
_COUNTERS: Final = "dcgm-exporter -c 10000 -f deploy/dcgm-counters.csv (docs/collect.md)"

# By what is lost without them; of a tuple one is enough.
REQUIRED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "the thermal score": (("gpu_temp_celsius",),),
    "the memory score": (
        ("ecc_sbe_volatile_total",),
        ("ecc_dbe_volatile_total",),
        ("row_remap_failed", "page_retired_dbe_total"),
    ),
    "the power score": (("power_usage_watts",), ("gpu_util_ratio", "sm_active_ratio", "gr_engine_active_ratio")),
}
ADVISED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "alerts on hardware errors": (("xid_last", "xid_window_count"),),
    "the warning before a memory repair": (("row_remap_pending", "page_retired_pending"),),
    "throttling with its reason": (("clocks_event_reasons",),),
    "limits of the device itself": (
        ("gpu_temp_slowdown_celsius", "gpu_temp_margin_celsius"),
        ("power_limit_enforced_watts",),
    ),
    "true mean power": (("energy_joules_total",),),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an exporter said, and the seconds that its clock is ahead of ours (None: it tells no time)."""

    text: str
    error: str
    clock_ahead_seconds: float | None


async def check_exporter(url: str, *, now: float, access: Access = OPEN) -> list[Finding]:
    """Ask one exporter and return the findings; ``now`` is epoch seconds."""
    answer = await _ask(url, now, access)
    if answer.error:
        return [
            Finding(
                check="exporter",
                state="problem",
                what=f"{url} does not answer",
                evidence=answer.error,
                repair=f"start it on the GPU host: {_COUNTERS}; open its port to this machine",
            )
        ]
    return [*judge_scrape(url, answer.text), *_clock(url, answer.clock_ahead_seconds)]


async def _ask(url: str, now: float, access: Access) -> Answer:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=access.tls())) as session,
            session.get(url, headers=access.headers()) as response,
        ):
            text = await response.text(encoding="utf-8", errors="replace")
            if response.status != 200:
                return Answer("", f"HTTP status {response.status}", None)
            ahead = _ahead(response.headers.get("Date", ""), now + loop.time() - began)
            return Answer(text, "", ahead)
    except TimeoutError:
        return Answer("", f"no answer within {_TIMEOUT_SECONDS:g} s", None)
    except UserFileError as error:
        return Answer("", str(error), None)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answer("", f"{type(error).__name__}: {error}"[:200], None)


def _ahead(date: str, now: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except ValueError:
        return None


def _clock(url: str, ahead: float | None) -> list[Finding]:
    if ahead is None:
        return []
    wrong = abs(ahead) > _CLOCK_SECONDS
    return [
        Finding(
            check="clock",
            state="problem" if wrong else "ok",
            what=f"clocks of {url} and of this machine {'differ' if wrong else 'agree'}",
            evidence=f"{ahead:+.0f} s; samples over 60 s ahead of the broker are refused",
            repair="run an NTP client on both (chronyc tracking, timedatectl)" if wrong else "",
        )
    ]


def judge_scrape(url: str, text: str) -> list[Finding]:
    """Return what is missing or damaged in a scrape."""
    exposition = parse_exposition(text)
    gpus = messages(exposition, host_id="doctor", time=1.7e9, interval_seconds=None, source="doctor")
    if not gpus:
        kinds = ", ".join(f"{count} {kind}" for kind, count in row_kinds(exposition).items()) or "no rows"
        return [
            Finding(
                check="exporter",
                state="problem",
                what=f"{url} answers, but names no GPU",
                evidence=kinds,
                repair="check that this is dcgm-exporter's /metrics and that nvidia-smi lists GPUs on that host",
            )
        ]
    findings = [
        Finding(
            check="exporter",
            state="ok",
            what=f"{url} answers",
            evidence=f"{len(gpus)} GPUs, {min(len(gpu['metrics']) for gpu in gpus)} or more signals each",
        )
    ]
    if exposition.damaged:
        first = exposition.damaged[0]
        findings.append(
            Finding(
                check="exporter",
                state="warning",
                what=f"{len(exposition.damaged)} lines cannot be read",
                evidence=f"line {first.number}: {first.reason}",
                repair="the rest is used; report the line to whoever runs the exporter",
            )
        )
    for table, state in ((REQUIRED, "problem"), (ADVISED, "warning")):
        for purpose, groups in table.items():
            missing = _missing(gpus, groups)
            if missing:
                findings.append(
                    Finding(
                        check="exporter",
                        state="problem" if state == "problem" else "warning",
                        what=f"no {purpose.removeprefix('the ')}: signals are not sent",
                        evidence=", ".join(missing),
                        repair=f"restart it with our counters: {_COUNTERS}",
                    )
                )
    return findings


def _missing(gpus: list[dict[str, Any]], groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """Return the groups of signals of which some GPU sends none."""
    sent = [{ALIASES[name].signal.name for name in gpu["metrics"] if name in ALIASES} for gpu in gpus]
    return [" or ".join(group) for group in groups if any(not found.intersection(group) for found in sent)]
