"""``gpu-health up``: the whole system on this machine, by one command."""

from __future__ import annotations

import asyncio
import signal
import time

import click

from streams.cli._settings import load_checked_settings
from streams.settings import Settings


def simulated_gpus(settings: Settings, simulate: bool | None, gpus: int) -> int:
    """Return how many GPUs are simulated; not told (None), none is on a broker of the user's.

    >>> simulated_gpus(Settings(broker="kafka:9092"), None, 50), simulated_gpus(Settings(broker=""), None, 50)
    (0, 50)
    >>> simulated_gpus(Settings(broker="kafka:9092"), True, 50), simulated_gpus(Settings(broker=""), False, 50)
    (50, 0)
    """
    wanted = not settings.broker if simulate is None else simulate
    return gpus if wanted else 0


@click.command("up")
@click.option(
    "--simulate/--no-simulate",
    default=None,
    show_default="on the embedded broker: --simulate; on GPU_HEALTH_BROKER: --no-simulate",
    help="A simulated fleet as input.",
)
@click.option("--gpus", default=50, show_default=True, type=click.IntRange(1), help="GPUs of the simulation.")
@click.option("--exit-after", type=click.FloatRange(0.0), help="Stop this many seconds after all is up.")
def command(simulate: bool | None, gpus: int, exit_after: float | None) -> None:
    """Start everything: Kafka and PostgreSQL where none is set, all roles, a simulated fleet, the page.

    Data stays in GPU_HEALTH_DATA_DIR (~/.gpu-health) for the next start; a folder is for simulated or for real
    GPUs, never both. Ctrl-C stops everything.

    \b
    Example:
      gpu-health up
      gpu-health up --gpus 200
      GPU_HEALTH_BROKER=kafka:9092 gpu-health up --no-simulate
    """
    settings = load_checked_settings()
    from streams.embedded.launch import launch

    began = time.monotonic()

    def report(message: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {message}")

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        work = asyncio.create_task(
            launch(
                settings, simulate_gpus=simulated_gpus(settings, simulate, gpus), exit_after=exit_after, report=report
            )
        )
        stopping = False

        def end(name: str) -> None:
            nonlocal stopping
            # Once only: cancelling the orderly stop would leave what it still has to stop.
            if not stopping:
                stopping = True
                report(f"{name}: stopping everything")
                work.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number.name)
        try:
            await work
        except asyncio.CancelledError:
            if not stopping:
                raise
        report("stopped; the data stays in " + str(settings.data_dir))

    asyncio.run(until_told())
