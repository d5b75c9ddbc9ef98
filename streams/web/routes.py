"""The paths of role view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

import orjson
from aiohttp import web

from streams.telemetry.registry import CONTENT_TYPE, Telemetry
from streams.web.auth import COOKIE, Gate
from streams.web.events import AlertStream
from streams.web.lookups import Lookups
from streams.web.middleware import json_response

_PAGE_FILES = {
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_LISTED_AT_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the worker can answer rightly, and what it lacks."""

    ready: bool
    detail: dict[str, object]


class Routes:
    """Handlers of every path.

    Parameters
    ----------
    lookups
        Answers from the tables that this worker holds whole.
    windows
        Answers ``/gpus/{gpu_id}/windows/`` from this worker or from the owner of the GPU's partition.
    readiness
        Asked by ``/readyz``.
    """

    def __init__(
        self,
        *,
        lookups: Lookups,
        windows: Callable[[web.Request, str], Awaitable[web.Response]],
        readiness: Callable[[], Readiness],
        telemetry: Telemetry,
        gate: Gate,
    ) -> None:
        self._lookups = lookups
        self._events = AlertStream(lambda: lookups.alerts("firing"))
        self._windows = windows
        self._readiness = readiness
        self._telemetry = telemetry
        self._gate = gate
        folder = files("streams.web") / "page"
        self._files = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in _PAGE_FILES.items()}
        self._page = (folder / "index.html").read_text(encoding="utf-8")
        self._login_page = (folder / "login.html").read_text(encoding="utf-8")

    def add_to(self, app: web.Application) -> None:
        """Register every path, and what ends the streams when ``app`` stops."""
        router = app.router
        app.on_shutdown.append(self._events.close)
        router.add_get("/", self.page)
        for path in self._files:
            router.add_get(path, self.page_file)
        router.add_get("/favicon.ico", self.no_icon)
        router.add_get("/login/", self.login_form)
        router.add_post("/login/", self.login)
        router.add_get("/healthz", self.healthz)
        router.add_get("/readyz", self.readyz)
        router.add_get("/metrics", self.metrics)
        router.add_get("/gpus/", self.gpus)
        router.add_get("/gpus/{gpu_id}/", self.gpu)
        router.add_get("/gpus/{gpu_id}/explain/", self.explain)
        router.add_get("/gpus/{gpu_id}/windows/", self.gpu_windows)
        router.add_get("/alerts/", self.alerts)
        router.add_get("/events/", self._events.answer)
        router.add_get("/risk/top/", self.risk_top)
        router.add_get("/recommendations/", self.recommendations)

    async def page(self, request: web.Request) -> web.Response:
        """The fleet page."""
        return web.Response(text=self._page, content_type="text/html")

    async def page_file(self, request: web.Request) -> web.Response:
        """A file of the page."""
        body, kind = self._files[request.path]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def no_icon(self, request: web.Request) -> web.Response:
        """Nothing: browsers ask for it unasked, and call a 404 an error."""
        return web.Response(status=204)

    async def login_form(self, request: web.Request) -> web.Response:
        """The form that takes the token."""
        return web.Response(text=self._login_page, content_type="text/html")

    async def login(self, request: web.Request) -> web.Response:
        """Give a cookie for the token."""
        token = (await request.post()).get("token", "")
        if not self._gate.asks or not isinstance(token, str) or not self._gate.token_matches(token.strip()):
            raise web.HTTPUnauthorized(text="this is not the token")
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            COOKIE,
            self._gate.cookie(),
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )
        return response

    async def healthz(self, request: web.Request) -> web.Response:
        """The process answers."""
        return json_response(b'{"status":"ok"}')

    async def readyz(self, request: web.Request) -> web.Response:
        """The tables are restored and the broker was seen lately."""
        found = self._readiness()
        body = {"status": "ready" if found.ready else "not ready", **found.detail}
        return json_response(orjson.dumps(body), 200 if found.ready else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Metrics of this process and each GPU's scores."""
        response = web.Response(body=self._telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE})
        response.enable_compression()
        return response

    async def gpus(self, request: web.Request) -> web.Response:
        """Latest status of each GPU; with ``since``: of the worst, what changed."""
        since = request.query.get("since")
        if since is not None:
            return json_response(self._lookups.changed_gpus(since, _number(request, "limit", None)))
        return json_response(
            self._lookups.gpus(
                hosts=request.query.get("hosts") == "1",
                worst=_choice(request, "sort", ("id", "worst"), "id") == "worst",
                limit=_number(request, "limit", None),
            )
        )

    async def gpu(self, request: web.Request) -> web.Response:
        """Latest status of one GPU."""
        return _found(self._lookups.gpu(request.match_info["gpu_id"]))

    async def explain(self, request: web.Request) -> web.Response:
        """What the scores and the risk of one GPU rest on."""
        return _found(self._lookups.explain(request.match_info["gpu_id"]))

    async def gpu_windows(self, request: web.Request) -> web.Response:
        """15-minute windows of one GPU."""
        gpu_id = request.match_info["gpu_id"]
        _found(self._lookups.gpu(gpu_id))
        return await self._windows(request, gpu_id)

    async def alerts(self, request: web.Request) -> web.Response:
        """Open alerts, or those of ``?status=``."""
        choice = _choice(request, "status", ("firing", "open", "resolved", "all"), "firing")
        return json_response(self._lookups.alerts("firing" if choice == "open" else choice))

    async def risk_top(self, request: web.Request) -> web.Response:
        """The GPUs most likely to fail."""
        limit = _number(request, "limit", 20)
        return json_response(self._lookups.risk_top(20 if limit is None else limit))

    async def recommendations(self, request: web.Request) -> web.Response:
        """Latest advice on each GPU, or that of ``?action=``."""
        choice = _choice(request, "action", ("KEEP", "SELL", "DECOMMISSION", ""), "")
        return json_response(self._lookups.recommendations(choice or None))


def _found(body: bytes | None) -> web.Response:
    if body is None:
        raise web.HTTPNotFound(text="no such GPU has reported")
    return json_response(body)


def _choice(request: web.Request, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.query.get(name, default)
    if value not in allowed:
        raise web.HTTPBadRequest(text=f"{name} must be one of {', '.join(filter(None, allowed))}")
    return value


def _number(request: web.Request, name: str, default: int | None) -> int | None:
    text = request.query.get(name)
    if text is None:
        return default
    # isascii: int() reads digits of every script.
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 0 < int(text) <= _LISTED_AT_MOST):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from 1 to {_LISTED_AT_MOST}")
    return int(text)
