"""The order in which the system comes up: servers, topics, schema, side inputs, roles, fleet, summary."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from schemas.errors import ShutdownError
from schemas.topics import METRICS_RAW
from streams.embedded import ports
from streams.embedded.fleet_summary import await_fleet
from streams.embedded.stack import Stack
from streams.kafka.admin import is_empty
from streams.settings import Settings
from streams.setup import prepare

_HISTORY = "7d"
Report = Callable[[str], None]


async def launch(settings: Settings, *, simulate_gpus: int, exit_after: float | None, report: Report) -> None:
    """Start everything, say what the fleet looks like, keep it running until cancelled.

    Parameters
    ----------
    simulate_gpus
        GPUs of the simulated fleet; 0: none is simulated.
    exit_after
        Seconds after which to stop; None: never.
    report
        Told each step.
    """
    simulated = simulate_gpus > 0
    report(
        f"starting the GPU Health System on {settings.data_dir}"
        + (f", with a simulated fleet of {simulate_gpus} GPUs" if simulated else "")
    )
    settings = _with_web_port(settings, report)
    async with Stack(settings, simulated=simulated, report=report) as stack:
        # What is up must be watched from now on: a server can die while the rest is prepared.
        watching = asyncio.create_task(stack.watch())
        working = asyncio.create_task(_work(stack, simulate_gpus, exit_after, report))
        try:
            done, _ = await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (watching, working):
                task.cancel()
            await asyncio.gather(watching, working, return_exceptions=True)


async def _work(stack: Stack, simulate_gpus: int, exit_after: float | None, report: Report) -> None:
    await prepare(stack.settings, report)
    if simulate_gpus:
        await _load_assets(stack.settings, simulate_gpus, report)
    from streams.roles.run import ROLES

    stack.page = stack.settings.web_url or f"http://{_shown_host(stack.settings)}:{stack.settings.web_port}/"
    command = [sys.executable, "-m", "streams"]
    for role in ROLES:
        await stack.run(role, [*command, "worker", "--role", role])
    report(f"roles run: {', '.join(ROLES)}")
    if simulate_gpus:
        await _simulate(stack, [*command, "simulate", "--gpus", str(simulate_gpus)], report)
    await await_fleet(stack.settings, expected=simulate_gpus, simulated=simulate_gpus > 0, report=report)
    report(f"page: {stack.page}   (Ctrl-C stops everything; `gpu-health status` says what runs)")
    await asyncio.sleep(exit_after if exit_after is not None else float("inf"))


async def _load_assets(settings: Settings, gpus: int, report: Report) -> None:
    """Import the list that the owner of the simulated fleet would have."""
    from streams.feeding.simulating import simulated_assets
    from streams.inputs.asset_import import import_assets

    imported = (await import_assets(settings, simulated_assets(gpus))).imported
    report(f"the simulated asset list is there ({imported} GPUs)")


async def _simulate(stack: Stack, live: list[str], report: Report) -> None:
    # A fleet that has a past goes on from it: its history would only be late samples, read for nothing.
    new = await is_empty(stack.settings, METRICS_RAW)
    await stack.run("simulate", [*live, "--history", _HISTORY] if new else live, again=live)
    report(f"the simulated fleet sends {f'its history of {_HISTORY}, then ' if new else ''}a sample each 10 s")


def _with_web_port(settings: Settings, report: Report) -> Settings:
    port = settings.web_port
    if port and ports.is_free(port):
        return settings
    if port and "web_port" in settings.model_fields_set:
        raise ShutdownError(
            f"port {port} is taken by another program: choose another GPU_HEALTH_WEB_PORT, or 0 for a free one"
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    kept = settings.data_dir / "web_port.json"
    chosen = ports.kept_port(kept, "web")
    ports.keep_ports(kept, {"web": chosen})
    if port:
        report(f"port {port} is taken by another program: the page is at port {chosen}")
    return settings.model_copy(update={"web_port": chosen})


def _shown_host(settings: Settings) -> str:
    return ports.LOOPBACK if settings.web_host in ("0.0.0.0", "::", "localhost") else settings.web_host
