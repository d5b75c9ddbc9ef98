"""Exporters asked on a fixed schedule: each tick gives one message a GPU and one heartbeat a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from collectors.access import OPEN, Access
from collectors.buffer import Buffer
from collectors.dcgm import Exposition, messages, parse_exposition
from collectors.exposition import MAX_TEXT_CHARS, DamagedLine
from collectors.heartbeat import heartbeat_message
from collectors.schedule import Clock, Schedule, stopped_within
from schemas.user_file import UserFileError

SOURCE: Final = "dcgm"
MAX_SCRAPE_BYTES: Final = 64 * 1024 * 1024
# An answer later than this share of the interval would reach into the next tick.
_TIMEOUT_SHARE: Final = 0.8
_ERROR_CHARS: Final = 200
_ASKS: Final = {
    401: ": it asks for a token or a password (GPU_HEALTH_SCRAPE_*)",
    403: ": it refuses our token, password or certificate (GPU_HEALTH_SCRAPE_*)",
}


@dataclass(frozen=True, slots=True)
class Exporter:
    """One exporter and the host whose GPUs it names."""

    url: str
    host_id: str


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer. ``started`` is epoch seconds at the request; ``error`` is empty where it succeeded."""

    exporter: Exporter
    started: float
    seconds: float
    exposition: Exposition | None
    error: str


async def scrape(
    session: aiohttp.ClientSession,
    exporter: Exporter,
    *,
    timeout_seconds: float,
    clock: Clock,
    access: Access = OPEN,
) -> Scrape:
    """Ask one exporter once; what goes wrong is a value."""
    started, began = clock.time(), clock.monotonic()
    exposition: Exposition | None = None
    error = ""
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            session.get(exporter.url, headers=access.headers()) as response,
        ):
            if response.status == 200:
                body = await response.content.read(MAX_SCRAPE_BYTES + 1)
                while len(body) <= MAX_SCRAPE_BYTES and (more := await response.content.read(MAX_SCRAPE_BYTES)):
                    body += more
                if len(body) > MAX_SCRAPE_BYTES:
                    error = f"more than {MAX_SCRAPE_BYTES} bytes"
                else:
                    exposition, error = _read(body)
            else:
                error = f"HTTP status {response.status}{_ASKS.get(response.status, '')}"
    except TimeoutError:
        error = f"no answer within {timeout_seconds:g} s"
    except UserFileError as failure:
        error = str(failure)
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    error = error.replace(exporter.url, without_secrets(exporter.url))[:_ERROR_CHARS]
    return Scrape(exporter, started, clock.monotonic() - began, exposition, error)


def _read(body: bytes) -> tuple[Exposition | None, str]:
    """Return what an answer says, or why it says nothing: a sign-in page comes with status 200, too."""
    text, _, cut = body.decode("utf-8", "replace").rpartition("\n")
    exposition = parse_exposition(text)
    if cut.strip():  # every line ends with a newline: this one lost its end, and perhaps digits of its value
        number = text.count("\n") + 2
        exposition = replace(
            exposition, damaged=(*exposition.damaged, DamagedLine(number, "cut off", cut[:MAX_TEXT_CHARS]))
        )
    if not any(isinstance(row.value, float) for row in exposition.rows):
        begin = " ".join(body[:40].decode("ascii", "replace").split())
        return None, f"status 200 without a metric: {begin!r}" if body else "status 200 with an empty body"
    return exposition, ""


def without_secrets(url: str) -> str:
    """Return ``url`` without user, password and query, which may hold a token.

    >>> without_secrets("http://u:hunter2@gpu-7:9400/metrics?token=x")
    'http://gpu-7:9400/metrics'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an exporter whose URL cannot be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def tick_messages(scrapes: Sequence[Scrape], *, interval_seconds: float) -> list[dict[str, Any]]:
    """Return the messages of one tick: each GPU once, then each host's heartbeat.

    A GPU that two exporters of one host name is told as the first one tells it.
    """
    told: list[dict[str, Any]] = []
    by_host: dict[str, list[Scrape]] = {}
    for one in scrapes:
        by_host.setdefault(one.exporter.host_id, []).append(one)
    for host_id, found in by_host.items():
        gpus: dict[str, dict[str, Any]] = {}
        for one in found:
            if one.exposition is not None:
                for message in messages(
                    one.exposition,
                    host_id=host_id,
                    time=one.started,
                    interval_seconds=interval_seconds,
                    source=SOURCE,
                ):
                    gpus.setdefault(message["gpu_id"], message)
        told.extend(gpus.values())
        told.append(_heartbeat(host_id, found, len(gpus), interval_seconds))
    return told


def _heartbeat(host_id: str, found: Sequence[Scrape], gpus: int, interval_seconds: float) -> dict[str, Any]:
    errors = [f"{without_secrets(one.exporter.url)}: {one.error}" for one in found if one.error]
    facts = {
        "exporter_up": 0.0 if errors else 1.0,
        "exporter_count": float(len(found)),
        "scrape_seconds": round(max(one.seconds for one in found), 4),
        "scrape_damaged_lines": float(
            sum(len(one.exposition.damaged) for one in found if one.exposition is not None)
        ),
    }
    if not errors:  # how many GPUs a silent exporter has is not known, and not zero
        facts["gpu_count"] = float(gpus)
    return heartbeat_message(
        host_id=host_id,
        time=min(one.started for one in found),
        interval_seconds=interval_seconds,
        source=SOURCE,
        facts=facts,
        labels={"exporter_error": "; ".join(errors)[:_ERROR_CHARS]} if errors else {},
    )


class Exporters:
    """Scrapes all ``exporters`` each interval (a :class:`collectors.source.Source`).

    Parameters
    ----------
    once
        One tick, then the end.
    access
        What the exporters ask for.
    on_tick
        Is shown each tick's answers.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter],
        *,
        interval_seconds: float,
        once: bool = False,
        access: Access = OPEN,
        on_tick: Callable[[Sequence[Scrape]], None] = lambda scrapes: None,
    ) -> None:
        self._exporters = exporters
        self._interval_seconds = interval_seconds
        self._once = once
        self._access = access
        self._on_tick = on_tick

    async def run(self, buffer: Buffer, *, clock: Clock, stop: asyncio.Event) -> bool:
        """Scrape until ``stop``, or once; once: tell whether every exporter answered."""
        timeout_seconds = self._interval_seconds * _TIMEOUT_SHARE
        schedule = Schedule(start=clock.monotonic(), interval_seconds=self._interval_seconds)
        connector = aiohttp.TCPConnector(ssl=self._access.tls())
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                scrapes = await asyncio.gather(
                    *(
                        scrape(session, one, timeout_seconds=timeout_seconds, clock=clock, access=self._access)
                        for one in self._exporters
                    )
                )
                self._on_tick(scrapes)
                messages = tick_messages(scrapes, interval_seconds=self._interval_seconds)
                await buffer.offer((message["gpu_id"].encode(), orjson.dumps(message)) for message in messages)
                if self._once or await stopped_within(stop, schedule.wait_seconds(clock.monotonic())):
                    return not (self._once and any(one.error for one in scrapes))
