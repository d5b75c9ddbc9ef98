"""``gpu-health collect``: exporters to the raw topic."""

from __future__ import annotations

import click

from streams.cli._settings import load_connected_settings


@click.command()
@click.option("--url", "urls", multiple=True, help="Exporter, such as http://host:9400/metrics; may be repeated.")
@click.option("--host-id", help="Host of all exporters [default: a URL's host, this machine's name for loopback].")
@click.option("--interval", type=click.FloatRange(min=0.1), help="Seconds between scrapes [default: 10].")
@click.option("--once", is_flag=True, help="Scrape once, then exit; 1 where an exporter did not answer.")
@click.option("--stdout", is_flag=True, help="Print the messages as JSON lines instead of sending them.")
def command(urls: tuple[str, ...], host_id: str | None, interval: float | None, once: bool, stdout: bool) -> None:
    """Scrape GPU exporters on a fixed schedule into the raw topic.

    Each interval gives one message a GPU and one heartbeat a host, also when an exporter does not answer.
    Start the exporter with the same interval: `dcgm-exporter -c 10000 -f dcgm-counters.csv`.

    \b
    Example:
      gpu-health collect --url http://127.0.0.1:9400/metrics --once --stdout
      GPU_HEALTH_BROKER=broker:9092 gpu-health collect --url http://gpu-7:9400/metrics
    """
    import asyncio

    from collectors.scrape import Exporter
    from streams.feeding.collecting import exporter_host, run_collect, scrape_access

    settings = load_connected_settings()
    wanted = urls or tuple(url.strip() for url in settings.dcgm_urls.split(",") if url.strip())
    if not wanted:
        raise click.UsageError("name an exporter: --url http://host:9400/metrics, or GPU_HEALTH_DCGM_URLS")
    scrape_access(settings).check()
    exporters: list[Exporter] = []
    for url in wanted:
        host = host_id or exporter_host(url)
        if host is None:
            raise click.BadParameter(f"{url!r} is no http(s) URL with a host", param_hint="--url")
        exporters.append(Exporter(url, host))
    raise SystemExit(
        asyncio.run(
            run_collect(
                settings,
                exporters,
                interval_seconds=interval or settings.interval_seconds,
                once=once,
                to_stdout=stdout,
            )
        )
    )
