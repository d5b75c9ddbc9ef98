"""``gpu-health status``: what runs, and where."""

from __future__ import annotations

import sys

import click
import msgspec

from streams.cli._printing import render
from streams.cli._settings import load_settings


@click.command("status")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(form: str) -> None:
    """Show the broker, the databases, the page and every process of the `gpu-health up` of this machine.

    Exits with 1 when none runs, or when one of its processes does not.

    \b
    Example:
      gpu-health status --format json
    """
    from streams.embedded.run_file import read_run

    data_dir = load_settings().data_dir
    run = read_run(data_dir)
    if form == "json":
        body = msgspec.to_builtins(run) if run is not None else {"data_dir": str(data_dir)}
        text = msgspec.json.format(msgspec.json.encode({"running": run is not None, **body}), indent=2)
        click.echo(text.decode())
    elif run is None:
        click.echo(f"nothing runs on {data_dir}; start it with `gpu-health up`")
    else:
        click.echo(f"since     {run.started_at}{'   (the fleet is simulated)' if run.simulated else ''}")
        click.echo(f"broker    {run.broker or '-'}{' (embedded)' if run.broker_embedded else ''}")
        click.echo(f"metrics   {run.metrics_dsn or '-'}{' (embedded)' if run.database_embedded else ''}")
        click.echo(f"assets    {run.assets_dsn or 'in the metrics database'}")
        click.echo(f"page      {run.page or '-'}")
        click.echo(f"data      {run.data_dir}\n")
        columns = ["name", "pid", "state", "restarts", "log", "last_exit"]
        click.echo(render([msgspec.to_builtins(one) for one in run.processes], columns, "table"))
    if run is None or any(one.state != "running" for one in run.processes):
        sys.exit(1)
