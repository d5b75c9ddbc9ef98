"""Collectors wired to their sink: the raw topic or standard output."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import click
import orjson

from collectors.scrape import Exporter, collect
from streams.clock import SystemClock
from streams.feeding.producer import BrokerUnreachable, RawProducer
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


async def run_collect(
    settings: Settings,
    exporters: Sequence[Exporter],
    *,
    interval_seconds: float,
    once: bool,
    to_stdout: bool,
) -> int:
    """Scrape until stopped (or once); return the exit code."""
    stop = stop_event()
    producer: RawProducer | None = None
    if not to_stdout:
        producer = RawProducer(settings)
        try:
            await producer.start()
        except BrokerUnreachable as error:
            click.echo(f"collect: {error}", err=True)
            return 1
    told: set[str] = set()

    async def send(messages: Sequence[dict[str, Any]]) -> None:
        _tell_errors(messages, told)
        records = [(message["gpu_id"].encode(), orjson.dumps(message)) for message in messages]
        if producer is None:
            sys.stdout.buffer.writelines(value + b"\n" for _, value in records)
            sys.stdout.buffer.flush()
        else:
            await producer.offer(records)

    try:
        scrapes = await collect(
            exporters,
            send,
            interval_seconds=interval_seconds,
            clock=SystemClock(),
            stop=stop,
            once=once,
        )
        if producer is not None and not await producer.flush(_FLUSH_SECONDS):
            click.echo(f"collect: {producer.waiting} messages were not taken by the broker", err=True)
            return 1
    finally:
        if producer is not None:
            await producer.stop()
    return 1 if once and any(scrape.error for scrape in scrapes) else 0


def _tell_errors(messages: Sequence[dict[str, Any]], told: set[str]) -> None:
    """Tell a person once when an exporter fails and once when it is back."""
    for message in messages:
        if not message["gpu_id"].startswith("host:"):
            continue
        host_id, error = message["host_id"], message["labels"].get("exporter_error")
        if error and host_id not in told:
            told.add(host_id)
            click.echo(f"collect: {host_id}: {error}", err=True)
        elif not error and host_id in told:
            told.discard(host_id)
            click.echo(f"collect: {host_id}: the exporter answers again", err=True)
