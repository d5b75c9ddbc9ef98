"""``gpu-health doctor``: what is wrong, the evidence, and the command that repairs it."""

from __future__ import annotations

import click

from streams.cli._settings import load_connected_settings


@click.command()
@click.option("--url", "urls", multiple=True, help="Exporter to check [default: GPU_HEALTH_DCGM_URLS].")
@click.option(
    "--only",
    "parts",
    multiple=True,
    type=click.Choice(["settings", "exporter", "broker", "database"]),
    help="Check this part alone; may be repeated.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(urls: tuple[str, ...], parts: tuple[str, ...], form: str) -> None:
    """Check settings and files, exporters, clocks, broker, topics, lag and databases; exit 1 when something is wrong.

    \b
    Example:
      gpu-health doctor --url http://gpu-7:9400/metrics
      gpu-health doctor --only settings
      gpu-health doctor --only broker --format json
    """
    import asyncio
    import logging

    import msgspec

    from streams.doctor.finding import as_table, exit_code
    from streams.doctor.run import diagnose

    # The client libraries log each attempt; here the finding says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings = load_connected_settings()
    wanted = urls or tuple(url.strip() for url in settings.dcgm_urls.split(",") if url.strip())
    findings = asyncio.run(diagnose(settings, wanted, parts))
    click.echo(as_table(findings) if form == "table" else msgspec.json.encode(findings).decode())
    raise SystemExit(exit_code(findings))
