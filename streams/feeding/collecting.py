"""Collectors wired to their sink: the raw topic or standard output."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import click

from collectors.access import Access
from collectors.scrape import Exporter, Exporters, Scrape, without_secrets
from streams.feeding.feed import Lines, feed
from streams.feeding.producer import RawProducer
from streams.settings import Settings
from streams.stop_signals import stop_event

_FLUSH_SECONDS: Final = 15.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def exporter_host(url: str) -> str | None:
    """Return the host whose GPUs an exporter's URL names: this machine for loopback; None: no such URL.

    >>> exporter_host("http://gpu-7:9400/metrics")
    'gpu-7'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return socket.gethostname().lower() if host in _LOOPBACK else host


def scrape_access(settings: Settings) -> Access:
    """Return what exporters ask for, as the settings name it, not checked yet."""
    return Access(
        token_file=settings.scrape_token_file,
        username=settings.scrape_username,
        password_file=settings.scrape_password_file,
        cafile=settings.scrape_cafile,
        certfile=settings.scrape_certfile,
        keyfile=settings.scrape_keyfile,
    )


async def run_collect(
    settings: Settings,
    exporters: Sequence[Exporter],
    *,
    interval_seconds: float,
    once: bool,
    to_stdout: bool,
) -> int:
    """Scrape until stopped (or once); return the exit code."""
    source = Exporters(
        exporters,
        interval_seconds=interval_seconds,
        once=once,
        access=scrape_access(settings),
        on_tick=ErrorsTold(),
    )
    buffer = Lines() if to_stdout else RawProducer(settings)
    return await feed([source], buffer, command="collect", stop=stop_event(), flush_seconds=_FLUSH_SECONDS)


class ErrorsTold:
    """Tells a person once when an exporter fails and once when it is back."""

    def __init__(self) -> None:
        self._failing: set[Exporter] = set()

    def __call__(self, scrapes: Sequence[Scrape]) -> None:
        """Look at one tick's answers."""
        for one in scrapes:
            name = f"collect: {one.exporter.host_id}: {without_secrets(one.exporter.url)}"
            if one.error and one.exporter not in self._failing:
                self._failing.add(one.exporter)
                click.echo(f"{name}: {one.error}", err=True)
            elif not one.error and one.exporter in self._failing:
                self._failing.discard(one.exporter)
                click.echo(f"{name}: answers again", err=True)
