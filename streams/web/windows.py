"""``/gpus/{gpu_id}/windows/``: answered by the worker that owns the GPU's partition of the windowed table."""

from __future__ import annotations

import asyncio

import aiohttp
import faust
import msgspec
from aiohttp import web
from faust.types import TopicT
from yarl import URL

from agents.ports import Clock
from agents.view.windows import WINDOW_SECONDS, Window
from schemas.times import format_time
from streams.roles.view_tables import ViewTables, windows_of
from streams.web.lookups import join_windows
from streams.web.middleware import json_response

# A forwarded request is answered where it arrives: while the group rebalances two workers may take each
# other for the owner.
FORWARDED_HEADER = "X-GPU-Health-Forwarded"
_PASSED_ON = ("Authorization", "Cookie")
_FORWARD_TIMEOUT_SECONDS = 5.0
_WINDOW = msgspec.json.Decoder(Window)


class WindowRoute:
    """Look-ups of the windowed table, routed by Faust's assignment of gpu-status.

    Parameters
    ----------
    status_topic
        The table's source; routed by it, since the changelog's keys are windowed.
    """

    def __init__(self, app: faust.App, tables: ViewTables, status_topic: TopicT, clock: Clock) -> None:
        self._app = app
        self._tables = tables
        self._status_topic = status_topic
        self._clock = clock

    async def answer(self, request: web.Request, gpu_id: str) -> web.Response:
        """Answer here or pass the request on to the owner."""
        owner = None if FORWARDED_HEADER in request.headers else self._owner(gpu_id)
        own = self._app.conf.canonical_url
        if owner is None or (owner.host, owner.port) == (own.host, own.port):
            return json_response(self.local(gpu_id))
        return await self._forward(request, owner)

    def local(self, gpu_id: str) -> bytes:
        """Return the windows that this worker holds."""
        window = self._tables.window_store.window
        assert window is not None
        found = windows_of(self._tables.window_store, window.current, gpu_id, self._clock.time())
        return join_windows(
            gpu_id,
            (
                _WINDOW.decode(value).shown(format_time(start), format_time(start + WINDOW_SECONDS))
                for start, value in found
            ),
        )

    def _owner(self, gpu_id: str) -> URL:
        try:
            return self._app.router.external_topic_key_store(self._status_topic, gpu_id.encode())
        except KeyError:
            raise web.HTTPServiceUnavailable(
                text="no worker owns this GPU's windows at the moment", headers={"Retry-After": "5"}
            ) from None

    async def _forward(self, request: web.Request, owner: URL) -> web.Response:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers[FORWARDED_HEADER] = "1"
        url = request.url.with_scheme("http").with_host(str(owner.host)).with_port(owner.port)
        try:
            async with (
                asyncio.timeout(_FORWARD_TIMEOUT_SECONDS),
                self._app.http_client.get(url, headers=headers) as response,
            ):
                return json_response(await response.read(), response.status)
        except (aiohttp.ClientError, TimeoutError):
            # A killed owner keeps its place until the group notices.
            raise web.HTTPServiceUnavailable(
                text=f"the owner of this GPU's windows ({owner.authority}) does not answer",
                headers={"Retry-After": "5"},
            ) from None
