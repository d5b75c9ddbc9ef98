"""The page: nothing from outside, text as text."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from tests.unit.streams.web.fleet import Tables, alert, client_of, status

HOSTILE = "</td><script>alert(1)</script>"
PAGE = files("streams.web") / "page"


def text_of(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


async def test_the_page_and_its_files_are_served_from_here_alone() -> None:
    async with client_of(Tables()) as client:
        page = await client.get("/")
        assert (page.status, page.content_type) == (200, "text/html")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', await page.text())
        assert set(loaded) == {"/page.css", "/page.js"}
        for path in loaded:
            assert (await client.get(path)).status == 200
        assert (await client.get("/page.js")).content_type == "text/javascript"


@pytest.mark.parametrize("name", ["index.html", "login.html", "page.js", "page.css"])
def test_nothing_comes_from_outside_and_nothing_runs_inline(name: str) -> None:
    text = text_of(name)
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=|javascript:", text)


def test_the_script_never_makes_markup_from_text() -> None:
    script = text_of("page.js")
    assert "textContent" in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", script)
    assert not re.search(r"setAttribute|\.href\s*=|\.src\s*=", script)


async def test_hostile_labels_arrive_as_data_never_in_the_page() -> None:
    tables = Tables()
    tables.put(
        status("GPU-a", model=HOSTILE, host_id=HOSTILE, workload=HOSTILE),
        alert("f", gpu_id="GPU-a", summary=HOSTILE),
    )
    async with client_of(tables) as client:
        assert HOSTILE not in await (await client.get("/")).text()
        for path, name in (("/gpus/", "gpus"), ("/alerts/", "alerts")):
            response = await client.get(path)
            # JSON with nosniff: a browser that opens the path itself does not run it either.
            assert response.content_type == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert HOSTILE in (await response.json())[name][0].values()


def test_what_the_script_fills_is_in_the_page() -> None:
    page, script = text_of("index.html"), text_of("page.js")
    used = set(re.findall(r'getElementById\("([\w-]+)"\)|(?:fill|note)\("([\w-]+)"', script))
    names = {name for pair in used for name in pair if name}
    assert {"alerts", "gpus", "summary", "simulated"} <= names
    assert all(f'id="{name}"' in page for name in names)
    columns = {
        table: len(re.findall("<th>", head))
        for table, head in re.findall(r'<table id="(\w+)">\s*<thead>(.*?)</thead>', page, re.DOTALL)
    }
    cells = {
        name: len(re.findall(r"^    cell\(", body, re.MULTILINE))
        for name, body in re.findall(r"function (alert|gpu)Row\(.*?\{(.*?)\n\}", script, re.DOTALL)
    }
    assert columns == {"alerts": cells["alert"], "gpus": cells["gpu"]}
