"""``gpu-health simulate``: a physically plausible fleet with faults, to the raw topic."""

from __future__ import annotations

import click

from streams.cli._settings import load_connected_settings


@click.command()
@click.option(
    "--gpus", type=click.IntRange(min=1, max=200_000), default=50, show_default=True, help="GPUs, eight a host."
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**31), default=1, show_default=True, help="Same seed, same fleet."
)
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Seconds between samples."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=1.0, max=10_000.0),
    default=1.0,
    show_default=True,
    help="Simulated seconds a second: begins (SPEED - 1) hours ago, and is at the present after one hour.",
)
@click.option(
    "--history", default="none", show_default=True, help="Send this much first, such as 7d or 12h, marked as history."
)
@click.option("--duration", help="Simulated time of the live part, such as 10m [default: until stopped].")
@click.option("--start", help="Time of the first live sample, RFC 3339 [default: now]; for reproducible files.")
@click.option(
    "--faults",
    default="default",
    show_default=True,
    help="default, none, or NAME@GPU@SECONDS,… from the first live sample.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["full", "guide"]),
    default="full",
    show_default=True,
    help="All signals, or the original guide's message (without a key).",
)
@click.option(
    "--assets",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the fleet's asset list as CSV, then exit.",
)
@click.option("--stdout", is_flag=True, help="Print JSON lines; with --duration without waiting.")
def command(
    gpus: int,
    seed: int,
    interval: float,
    speed: float,
    history: str,
    duration: str | None,
    start: str | None,
    faults: str,
    form: str,
    assets: str | None,
    stdout: bool,
) -> None:
    """Simulate a GPU fleet: loads, heat, power, errors, and faults that begin when you say.

    Every message carries the label simulated=true. Fault names: ecc_uncorrected, hot_gpu, ecc_trend,
    vanishing, throttling, remap_failed, power_instability, off_bus.

    \b
    Example:
      gpu-health simulate --gpus 50 --seed 1 --history 7d
      gpu-health simulate --gpus 50 --assets fleet.csv && gpu-health assets import fleet.csv
      gpu-health simulate --gpus 8 --faults off_bus@3@60 --duration 5m --stdout
    """
    import asyncio
    from typing import Literal, cast

    from streams.feeding.simulating import Plan, assets_csv, parse_duration, run_simulation

    try:
        plan = Plan(
            gpus=gpus,
            seed=seed,
            interval_seconds=interval,
            speed=speed,
            history_seconds=parse_duration(history),
            duration_seconds=None if duration is None else parse_duration(duration),
            start=start,
            faults=faults,
            form=cast(Literal["full", "guide"], form),
            to_stdout=stdout,
        )
        prepared = plan.prepare()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if assets is not None:
        with click.open_file(assets, "w", encoding="utf-8") as file:
            file.write(assets_csv(prepared.world))
        return
    raise SystemExit(asyncio.run(run_simulation(load_connected_settings(), plan, prepared)))
