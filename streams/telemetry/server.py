"""``/metrics`` of the roles that have no other web server."""

from __future__ import annotations

from aiohttp import web
from mode import Service

from streams.telemetry.registry import CONTENT_TYPE, Telemetry


class MetricsServer(Service):
    """Serves one process's metrics; a Faust app starts it as ``app.service``, others by ``async with``.

    Parameters
    ----------
    telemetry
        What is served.
    host
        Address; other than the loopback it shows counts to whoever reaches it, never a name of a GPU.
    port
        Its port; 0 starts nothing.
    """

    def __init__(self, telemetry: Telemetry, host: str, port: int) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def on_start(self) -> None:
        """Listen."""
        if self._port == 0:
            return
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def on_stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        body = self._telemetry.exposition()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
