"""The fleet page in a real Chromium, over role view's own routes: `make browser`."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.unit.streams.web.fleet import Tables, alert, client_of, open_alert, status

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.browser
HOSTILE = "</td><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
GPUS = "#gpus tbody tr"
ALERTS = "#alerts tbody tr"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return Debian's Chromium; the one that playwright would download is not used."""
    from playwright.async_api import async_playwright

    path = shutil.which("chromium")
    assert path is not None, "chromium is not installed: `make browser` installs it"
    # Root has no sandbox in Chromium.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=options)
        yield running
        await running.close()


@asynccontextmanager
async def shown(browser: Browser, tables: Tables) -> AsyncIterator[Page]:
    """Open the page over ``tables``; anything that its console calls an error fails the test."""
    errors: list[str] = []
    async with client_of(tables) as client:
        page = await browser.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(str(client.make_url("/")))
        await page.locator("#summary", has_text="GPUs").wait_for()
        yield page
        assert await page.locator("#trouble").is_hidden()
        assert errors == []
        await page.close()


def fleet() -> Tables:
    """Return three GPUs: one with a page, one poor, one that is missing and has no score."""
    tables = Tables()
    tables.put(
        status("GPU-a", host_id="node1", alerts=[open_alert()]),
        status("GPU-b", host_id="node2", overall_score=40, band="poor", risk_score=70),
        status("GPU-c", host_id="node2", model="NVIDIA L40S", overall_score=None, band=None, missing=True),
        alert("f1", gpu_id="GPU-a", severity="critical", page=True, rule="gpu_lost", summary="lost"),
    )
    tables.health[b"GPU-b"] = b'{"overall_score":40,"penalties":[{"signal":"gpu_temp_celsius","points":56.0}]}'
    return tables


async def ids(page: Page) -> list[str]:
    """Return the ids of the GPUs in the order shown."""
    found: list[str] = await page.locator(f"{GPUS} td:first-child").all_inner_texts()
    return found


async def test_the_fleet_is_listed_worst_first_with_its_alerts(browser: Browser) -> None:
    async with shown(browser, fleet()) as page:
        assert await ids(page) == ["GPU-a", "GPU-c", "GPU-b"]
        assert "3 GPUs" in await page.inner_text("#summary")
        await page.wait_for_selector(ALERTS)
        (row,) = await page.locator(ALERTS).all_inner_texts()
        assert row.split("\t")[:4] == ["critical", "page", "gpu_lost", "GPU-a"]
        last = page.locator(GPUS).nth(1).locator("td").last
        assert (await last.inner_text()).endswith("missing")
        assert await last.get_attribute("class") == "missing"


async def test_a_click_on_a_heading_sorts_and_another_turns_it_round(browser: Browser) -> None:
    async with shown(browser, fleet()) as page:
        heading = page.locator("#gpus thead th").nth(3)
        await heading.locator("button").click()
        assert await ids(page) == ["GPU-b", "GPU-a", "GPU-c"]
        assert await heading.get_attribute("aria-sort") == "ascending"
        await heading.locator("button").click()
        assert await ids(page) == ["GPU-a", "GPU-b", "GPU-c"], "a score that is not known stays last"
        assert await heading.get_attribute("aria-sort") == "descending"
        await page.locator("#gpus thead th button").first.click()
        assert await ids(page) == ["GPU-a", "GPU-b", "GPU-c"]


async def test_every_heading_sorts_by_its_own_column(browser: Browser) -> None:
    """Two GPUs that differ in everything: the first is the lesser in every column."""
    less, more = fleet(), {"band": "poor", "action": "SELL", "alerts": [open_alert()]}
    less.status.clear()
    numbers = ("overall_score", "thermal_score", "memory_score", "power_score", "risk_score")
    less.put(
        status("GPU-a", host_id="a", model="A", failure_probability_30d=0.1, **dict.fromkeys(numbers, 1)),
        status(
            "GPU-b",
            host_id="b",
            model="B",
            failure_probability_30d=0.2,
            last_seen="2026-02-09T13:00:00.000Z",
            **dict.fromkeys(numbers, 2),
            **more,
        ),
    )
    async with shown(browser, less) as page:
        headings = page.locator("#gpus thead th button")
        assert await headings.count() == 13
        for index in range(13):
            await headings.nth(index).click()
            assert await ids(page) == ["GPU-a", "GPU-b"], await headings.nth(index).inner_text()
            await headings.nth(index).click()
            assert await ids(page) == ["GPU-b", "GPU-a"], await headings.nth(index).inner_text()


async def test_a_word_filters_by_id_host_model_and_alert(browser: Browser) -> None:
    async with shown(browser, fleet()) as page:
        for word, left in (
            ("gpu-B", ["GPU-b"]),
            ("node2", ["GPU-c", "GPU-b"]),
            ("l40s", ["GPU-c"]),
            ("gpu_lost", ["GPU-a"]),
            ("nothing", []),
            ("", ["GPU-a", "GPU-c", "GPU-b"]),
        ):
            await page.fill("#filter", word)
            assert await ids(page) == left
        await page.fill("#filter", "node2")
        assert await page.inner_text("#gpus-note") == "2 of 3 GPUs shown"


async def test_sort_and_filter_outlive_a_refresh(browser: Browser) -> None:
    tables = fleet()
    async with shown(browser, tables) as page:
        await page.fill("#filter", "node2")
        await page.locator("#gpus thead th button").first.click()
        tables.put(status("GPU-d", host_id="node2"), status("GPU-e", host_id="node9"))
        await page.get_by_role("button", name="GPU-d").wait_for()
        assert await ids(page) == ["GPU-b", "GPU-c", "GPU-d"]


async def test_a_click_on_a_gpu_shows_what_its_scores_rest_on(browser: Browser) -> None:
    async with shown(browser, fleet()) as page:
        details = page.locator("#details")
        assert await details.is_hidden()
        await page.get_by_role("button", name="GPU-b").click()
        await details.wait_for(state="visible")
        assert await page.inner_text("#details-title") == "GPU-b"
        text = await page.inner_text("#details-text")
        assert '"signal": "gpu_temp_celsius"' in text
        assert '"points": 56' in text
        await page.click("#details-close")
        assert await details.is_hidden()


async def test_an_alert_appears_and_goes_by_server_sent_event(browser: Browser) -> None:
    """Nothing asks for /alerts/: it comes by the stream alone."""
    tables, asked = fleet(), list[str]()
    async with shown(browser, tables) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.wait_for_selector(ALERTS)
        tables.put(alert("f2", gpu_id="GPU-b", severity="critical", page=True, rule="hot", summary="93 C"))
        await page.wait_for_selector(f"{ALERTS}:nth-child(2)")
        assert "93 C" in await page.inner_text("#alerts")
        tables.put(alert("f1", gpu_id="GPU-a", status="resolved"), alert("f2", gpu_id="GPU-b", status="resolved"))
        await page.locator("#alerts-note", has_text="none").wait_for()
        assert await page.locator(ALERTS).count() == 0
    assert not [url for url in asked if "/alerts/" in url]


async def test_hostile_text_is_text(browser: Browser) -> None:
    tables = Tables()
    tables.put(
        status("GPU-<b>x</b>", host_id=HOSTILE, model=HOSTILE),
        alert("f", gpu_id="GPU-<b>x</b>", rule=HOSTILE, summary=HOSTILE, action=HOSTILE),
    )
    async with shown(browser, tables) as page:
        await page.wait_for_selector(ALERTS)
        assert HOSTILE in await page.locator(GPUS).inner_text()
        assert HOSTILE in await page.locator(ALERTS).inner_text()
        await page.locator(f"{GPUS} button").click()
        await page.locator("#details").wait_for(state="visible")
        assert await page.inner_text("#details-title") == "GPU-<b>x</b>"
        assert await page.locator("main script, main img, main b").count() == 0
        assert await page.evaluate("window.ran") is None


async def test_a_server_that_is_gone_is_told_and_what_was_shown_stays(browser: Browser) -> None:
    async with client_of(fleet()) as client:
        page = await browser.new_page()
        await page.goto(str(client.make_url("/")))
        await page.wait_for_selector(GPUS)
        await client.server.close()
        await page.wait_for_selector("#trouble:not([hidden])")
        assert "alerts are not live" in await page.inner_text("#trouble")
        assert await ids(page) == ["GPU-a", "GPU-c", "GPU-b"]
        await page.close()


async def test_only_what_changed_is_sent_and_drawn_again(browser: Browser) -> None:
    tables = fleet()
    async with shown(browser, tables) as page:
        await page.evaluate("document.querySelectorAll('#gpus tbody tr').forEach((row) => { row.dataset.old = 1; })")
        tables.put(status("GPU-new", overall_score=11, band="poor"))
        await page.locator(GPUS, has_text="GPU-new").wait_for()
        assert await page.locator(GPUS + "[data-old]").count() == 3
        assert await page.locator(GPUS).count() == 4
        del tables.status[b"GPU-new"]
        await page.locator(GPUS, has_text="GPU-new").wait_for(state="detached")
        assert await page.locator(GPUS).count() == 3


async def test_a_score_on_little_is_shown_as_such(browser: Browser) -> None:
    tables = fleet()
    tables.put(status("GPU-blind", overall_score=100, band="insufficient", coverage=0.19))
    async with shown(browser, tables) as page:
        await page.locator("td.insufficient", has_text="insufficient (19 % measured)").wait_for()
