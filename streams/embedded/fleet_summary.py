"""What ``gpu-health up`` says about the fleet once it is scored: read from the page's own look-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from schemas.status import GpuStatus
from schemas.times import parse_time
from streams.embedded.ports import LOOPBACK
from streams.settings import Settings

_PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 1.0
_SAY_EVERY_SECONDS = 5.0
_WORST = 5
_RECENT_SECONDS = 60.0


class _Fleet(msgspec.Struct):
    count: int
    gpus: list[GpuStatus]


async def await_fleet(
    settings: Settings,
    *,
    expected: int,
    simulated: bool,
    report: Callable[[str], None],
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Report how many GPUs are scored until ``expected`` are (at most 3 minutes), then the fleet's summary.

    A GPU counts once its present is scored: while a history is read, nothing is said about now.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    say_at = loop.time() + _SAY_EVERY_SECONDS
    while True:
        gpus = await _gpus(settings)
        scored = sum(_is_present(gpu, time.time()) for gpu in gpus or ())
        if gpus is not None and scored >= expected:
            break
        if loop.time() >= deadline:
            report(f"only {scored} of {expected} GPUs are scored; see `gpu-health doctor` and the logs")
            break
        if loop.time() >= say_at:
            say_at += _SAY_EVERY_SECONDS
            report("the page does not answer yet" if gpus is None else progress(gpus, expected, time.time()))
        await asyncio.sleep(poll_seconds)
    for line in summary(gpus or (), simulated):
        report(line)


def progress(gpus: Sequence[GpuStatus], expected: int, now: float) -> str:
    """Return how many GPUs are scored, and how far the past of the others is read (their mean)."""
    behind = [parse_time(gpu.last_seen) for gpu in gpus if not _is_present(gpu, now)]
    told = f"{len(gpus) - len(behind)} of {expected} GPUs scored"
    if not behind:
        return told
    hours = (now - sum(behind) / len(behind)) / 3600
    ago = f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    return f"{told}; the past is read first, and has come to {ago} ago"


def _is_present(gpu: GpuStatus, now: float) -> bool:
    recent = now - parse_time(gpu.last_seen) <= max(_RECENT_SECONDS, 4 * gpu.interval_seconds)
    return gpu.overall_score is not None and (recent or gpu.missing)


def summary(gpus: Sequence[GpuStatus], simulated: bool) -> list[str]:
    """Return the fleet in a few lines: how many, how well, the worst and why."""
    kind = "simulated fleet" if simulated else "fleet"
    scored = [gpu for gpu in gpus if gpu.overall_score is not None]
    if not scored:
        return [f"{kind}: no GPU has been scored yet"]
    scores = [gpu.overall_score for gpu in scored if gpu.overall_score is not None]
    alerts = sum(len(gpu.alerts) for gpu in gpus)
    lines = [
        f"{kind}: {len(scored)} GPUs scored, mean health {sum(scores) / len(scores):.0f} of 100, "
        f"{sum(score < 70 for score in scores)} below 70, {alerts} open alerts"
    ]
    for gpu in sorted(scored, key=lambda gpu: (gpu.overall_score, gpu.gpu_id))[:_WORST]:
        rules = ", ".join(alert.rule for alert in gpu.alerts) or "no alert"
        advice = f", {gpu.action}" if gpu.action is not None else ""
        lines.append(f"  {gpu.overall_score:>3}  {gpu.gpu_id} on {gpu.host_id}: {rules}{advice}")
    return lines


async def _gpus(settings: Settings) -> list[GpuStatus] | None:
    """Return the latest status of each GPU; None while the page does not answer."""
    host = LOOPBACK if settings.web_host in ("0.0.0.0", "::", "localhost") else settings.web_host
    token = settings.web_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=10.0)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(f"http://{host}:{settings.web_port}/gpus/") as response,
        ):
            if response.status != 200:
                return None
            fleet = msgspec.json.decode(await response.read(), type=_Fleet)
    except (aiohttp.ClientError, TimeoutError):
        return None
    return [gpu for gpu in fleet.gpus if not gpu.gpu_id.startswith("host:")]
