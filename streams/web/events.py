"""``/events/``: the open alerts as server-sent events, each time they change.

References
----------
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from aiohttp import web

from streams.web.middleware import SECURITY_HEADERS

_LOOK_EVERY_SECONDS: Final = 0.5
# A proxy closes what is silent for a minute, and only a write tells that the client has gone.
_SILENT_AT_MOST_SECONDS: Final = 15.0
_STREAMS_AT_MOST: Final = 200


class AlertStream:
    """Sends the event ``alerts``, whose data is the answer of ``/alerts/``, at once and at every change.

    Parameters
    ----------
    alerts
        Returns that answer as JSON.
    """

    def __init__(self, alerts: Callable[[], bytes], *, streams_at_most: int = _STREAMS_AT_MOST) -> None:
        self._alerts = alerts
        self._streams_at_most = streams_at_most
        self._streams = 0
        self._closing = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send until the client leaves or the server stops."""
        if self._streams >= self._streams_at_most:
            raise web.HTTPServiceUnavailable(
                text=f"{self._streams} streams are open, and no more are served", headers={"Retry-After": "30"}
            )
        response = web.StreamResponse(headers={**SECURITY_HEADERS, "Content-Type": "text/event-stream"})
        self._streams += 1
        try:
            await response.prepare(request)
            await self._send(response)
        except ConnectionResetError:
            pass  # the client has left
        finally:
            self._streams -= 1
        return response

    async def close(self, app: web.Application) -> None:
        """End every stream: the server waits for its handlers when it stops."""
        self._closing.set()

    async def _send(self, response: web.StreamResponse) -> None:
        clock = asyncio.get_running_loop().time
        shown, told_at = b"", 0.0
        while not self._closing.is_set():
            body = self._alerts()
            if body != shown:
                await response.write(event("alerts", body))
                shown, told_at = body, clock()
            elif clock() - told_at >= _SILENT_AT_MOST_SECONDS:
                await response.write(b":\n\n")
                told_at = clock()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _LOOK_EVERY_SECONDS)


def event(name: str, data: bytes) -> bytes:
    r"""Return one event; each line of ``data`` has its own field.

    >>> event("alerts", b'{"count":0,\n"alerts":[]}')
    b'event: alerts\ndata: {"count":0,\ndata: "alerts":[]}\n\n'
    """
    lines = b"".join(b"data: " + line + b"\n" for line in data.splitlines())
    return b"event: " + name.encode() + b"\n" + lines + b"\n"
