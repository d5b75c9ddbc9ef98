"""Around every request: the gate, security headers, errors as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web
from aiohttp.typedefs import Middleware

from streams.web.auth import Gate

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def json_response(body: bytes, status: int = 200) -> web.Response:
    """Return a JSON response; long ones are compressed where the client takes it."""
    response = web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
    if len(body) > 4096:
        response.enable_compression()
    return response


def error_response(status: int, message: str) -> web.Response:
    """Return an error in the form of all errors: ``{"error": {"status", "message"}}``."""
    return json_response(orjson.dumps({"error": {"status": status, "message": message}}), status)


def middlewares(gate: Gate) -> list[Middleware]:
    """Return the middlewares, the outermost first."""

    @web.middleware
    async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as exc:
            if exc.status < 400:
                raise
            default = exc.text is None or exc.text.startswith(f"{exc.status}: ")
            response = error_response(exc.status, exc.reason if default else str(exc.text))
            for name in ("Allow", "WWW-Authenticate", "Retry-After"):
                if name in exc.headers:
                    response.headers[name] = exc.headers[name]
            return response
        except Exception:
            # The edge of the process: the client gets JSON, the log the traceback; nothing of it goes out.
            logger.exception("error while answering %s %s", request.method, request.path)
            return error_response(500, "internal error")

    @web.middleware
    async def admission(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not gate.trusts_host(request):
            raise web.HTTPForbidden(text="called by a name that is not this machine's")
        if gate.admits(request):
            return await handler(request)
        if request.path == "/" and "text/html" in request.headers.get("Accept", ""):
            return web.Response(status=303, headers={"Location": "/login/"})
        raise web.HTTPUnauthorized(
            text="a token is needed: Authorization: Bearer <token>", headers={"WWW-Authenticate": "Bearer"}
        )

    return [headers, errors, admission]
