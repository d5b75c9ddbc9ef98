"""Server-sent events: what is open at once, every change, and an end when the server stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import ClientResponse

from streams.web.middleware import SECURITY_HEADERS
from tests.unit.streams.web.fleet import Tables, alert, client_of


async def next_alerts(response: ClientResponse) -> list[str]:
    """Return the summaries of the next event."""
    async with asyncio.timeout(5.0):
        text = (await response.content.readuntil(b"\n\n")).decode()
    assert text.startswith("event: alerts\ndata: ")
    body: dict[str, Any] = json.loads(text.removeprefix("event: alerts\n").replace("data: ", ""))
    assert body["count"] == len(body["alerts"])
    return [one["summary"] for one in body["alerts"]]


async def test_open_alerts_come_at_once_and_at_every_change() -> None:
    tables = Tables()
    tables.put(alert("f1", summary="first"))
    async with client_of(tables) as client, client.get("/events/") as response:
        assert response.content_type == "text/event-stream"
        assert SECURITY_HEADERS.items() <= dict(response.headers).items()
        assert await next_alerts(response) == ["first"]
        tables.put(alert("f2", summary="second", severity="critical"))
        assert await next_alerts(response) == ["second", "first"]
        tables.put(alert("f1", summary="first", status="resolved"))
        assert await next_alerts(response) == ["second"]


async def test_a_server_that_stops_does_not_wait_for_its_streams() -> None:
    async with client_of(Tables()) as client:
        response = await client.get("/events/")
        assert await next_alerts(response) == []
        async with asyncio.timeout(3.0):
            await client.server.close()
        assert await response.read() == b""


async def test_a_stream_asks_for_the_token_too() -> None:
    async with client_of(Tables(), token="t" * 32) as client:
        assert (await client.get("/events/")).status == 401
