"""The schedule does not drift, a failed scrape still gives a heartbeat, times are those of the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from collectors.exposition import parse_exposition
from collectors.schedule import Schedule
from collectors.scrape import Exporter, Exporters, Scrape, scrape, tick_messages
from tests.unit.collectors.kept import Kept, LoopClock

TIME = 1770638400.0
TEXT = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65\n'


@pytest_asyncio.fixture
async def exporter_url() -> AsyncIterator[str]:
    """Return the address of an exporter with a page each for: an answer, an error, no answer at all."""

    released = asyncio.Event()

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=TEXT)

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=500)

    async def silent(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/broken", broken), web.get("/silent", silent)])
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    released.set()
    await runner.cleanup()


Serve = Callable[[bytes], Awaitable[str]]


@pytest_asyncio.fixture
async def serving() -> AsyncIterator[Serve]:
    """Return what serves a body with status 200, and gives its address."""
    runners: list[web.AppRunner] = []

    async def serve(body: bytes) -> str:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=body)

        app = web.Application()
        app.add_routes([web.get("/metrics", answer)])
        runner = web.AppRunner(app, shutdown_timeout=0.0)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"

    yield serve
    for runner in runners:
        await runner.cleanup()


async def asked(url: str) -> Scrape:
    async with aiohttp.ClientSession() as session:
        return await scrape(session, Exporter(url, "n1"), timeout_seconds=5.0, clock=LoopClock(TIME))


def test_work_that_takes_time_moves_no_tick() -> None:
    schedule = Schedule(start=0.0, interval_seconds=10.0)
    now = 0.0
    ticks = []
    for work in (0.5, 9.9, 0.1, 3.0):
        now += work
        now += schedule.wait_seconds(now)
        ticks.append(now)
    assert ticks == [10.0, 20.0, 30.0, 40.0]
    assert schedule.missed == 0


def test_a_tick_that_is_over_is_skipped_and_counted() -> None:
    schedule = Schedule(start=0.0, interval_seconds=10.0)
    assert schedule.wait_seconds(25.0) == 5.0
    assert schedule.missed == 2


def test_a_tick_tells_each_gpu_once_and_each_host() -> None:
    found = [
        Scrape(Exporter("http://a", "n1"), TIME, 0.1, parse_exposition(TEXT), ""),
        Scrape(Exporter("http://b", "n1"), TIME + 0.5, 0.2, parse_exposition(TEXT.replace("65", "70")), ""),
        Scrape(Exporter("http://c", "n2"), TIME, 8.0, None, "no answer within 8 s"),
    ]
    told = tick_messages(found, interval_seconds=10.0)
    assert [message["gpu_id"] for message in told] == ["GPU-1", "host:n1", "host:n2"]
    assert told[0]["metrics"] == {"DCGM_FI_DEV_GPU_TEMP": 65.0}
    assert told[1]["metrics"] == {
        "exporter_up": 1.0,
        "exporter_count": 2.0,
        "scrape_seconds": 0.2,
        "scrape_damaged_lines": 0.0,
        "gpu_count": 1.0,
    }
    assert told[2]["metrics"] == {
        "exporter_up": 0.0,
        "exporter_count": 1.0,
        "scrape_seconds": 8.0,
        "scrape_damaged_lines": 0.0,
    }, "how many GPUs a silent exporter has is not known"
    assert told[2]["labels"] == {"exporter_error": "http://c: no answer within 8 s"}


async def test_the_time_of_a_sample_is_the_start_of_its_scrape(exporter_url: str) -> None:
    async with aiohttp.ClientSession() as session:
        one = await scrape(
            session, Exporter(f"{exporter_url}/metrics", "n1"), timeout_seconds=5.0, clock=LoopClock(TIME)
        )
    assert (one.started, one.error) == (TIME, "")
    assert one.exposition == parse_exposition(TEXT)


async def test_what_goes_wrong_is_a_value(exporter_url: str) -> None:
    async with aiohttp.ClientSession() as session:
        errors = [
            (await scrape(session, Exporter(url, "n1"), timeout_seconds=0.2, clock=LoopClock(TIME))).error
            for url in (f"{exporter_url}/broken", f"{exporter_url}/silent", "http://127.0.0.1:1/", "nonsense")
        ]
    assert errors[0] == "HTTP status 500"
    assert errors[1] == "no answer within 0.2 s"
    assert "ClientConnectorError" in errors[2]
    assert errors[3]


async def test_ticks_go_on_until_stopped(exporter_url: str) -> None:
    kept = Kept(calls=3)
    exporters = [Exporter(f"{exporter_url}/metrics", "n1"), Exporter(f"{exporter_url}/broken", "n2")]
    shown: list[list[str]] = []
    source = Exporters(
        exporters, interval_seconds=0.1, on_tick=lambda scrapes: shown.append([one.error for one in scrapes])
    )
    assert await source.run(kept, clock=LoopClock(TIME), stop=kept.ending)
    assert [len(take) for take in kept.takes] == [3, 3, 3]
    assert shown == [["", "HTTP status 500"]] * 3


async def test_a_single_tick_tells_whether_all_answered(exporter_url: str) -> None:
    for page, answered in (("metrics", True), ("broken", False)):
        source = Exporters([Exporter(f"{exporter_url}/{page}", "n1")], interval_seconds=9.0, once=True)
        assert await source.run(Kept(), clock=LoopClock(TIME), stop=asyncio.Event()) is answered


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><body>Sign in</body></html>\n", "without a metric: '<html><body>Sign in"),
        (b"Sign in\n", "without a metric"),
        (b"", "empty body"),
        (TEXT.encode("utf-16"), "without a metric"),
        (b"# HELP only\n", "without a metric"),
    ],
    ids=["page", "words", "empty", "utf-16", "comments"],
)
async def test_an_answer_without_a_metric_is_none(serving: Serve, body: bytes, words: str) -> None:
    one = await asked(await serving(body))
    assert one.exposition is None
    assert words in one.error
    (heartbeat,) = tick_messages([one], interval_seconds=10.0)
    assert heartbeat["metrics"]["exporter_up"] == 0.0
    assert "gpu_count" not in heartbeat["metrics"]


async def test_a_line_without_its_end_gives_no_value(serving: Serve) -> None:
    one = await asked(await serving(f'{TEXT}DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{{gpu="0",UUID="GPU-1"}} 1'.encode()))
    assert one.exposition is not None
    assert [row.name for row in one.exposition.rows] == ["DCGM_FI_DEV_GPU_TEMP"]
    assert [(line.number, line.reason) for line in one.exposition.damaged] == [(2, "cut off")]


async def test_secrets_of_a_url_are_in_no_text() -> None:
    for url in ("http://u:hunter2@127.0.0.1:1/a", "http://127.0.0.1:1/a?token=hunter2", "http://u:hunter2@[bad"):
        one = await asked(url)
        assert one.error
        assert "hunter2" not in str(tick_messages([one], interval_seconds=10.0)) + one.error
