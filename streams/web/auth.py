"""Who may ask: on the loopback everyone, elsewhere whoever has the token, as a header or as a cookie."""

from __future__ import annotations

import hmac
import ipaddress

from aiohttp import web
from yarl import URL

from schemas.errors import ShutdownError
from streams.settings import Settings

COOKIE = "gpu_health_session"
# Probes of an orchestrator have no token; the login form and its style must be seen to be used.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login/", "/page.css", "/favicon.ico"})


def is_loopback(host: str) -> bool:
    """Whether a server on ``host`` can be reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_token(settings: Settings) -> None:
    """Refuse to serve others than this machine without a token.

    Raises
    ------
    ShutdownError
        ``web_host`` is not a loopback address and ``web_token`` is empty.
    """
    if not is_loopback(settings.web_host) and not settings.web_token.get_secret_value():
        raise ShutdownError(
            f"GPU_HEALTH_WEB_HOST={settings.web_host} can be reached from other machines, so a token is "
            "needed: set GPU_HEALTH_WEB_TOKEN, for example to the output of `openssl rand -hex 32`, "
            "or set GPU_HEALTH_WEB_HOST=127.0.0.1"
        )


class Gate:
    """Decides on one request.

    Parameters
    ----------
    token
        Empty: the server listens on the loopback alone and asks for none.
    web_url
        Address that people use, where it is another one (a proxy on this machine).
    """

    def __init__(self, token: str, web_url: str = "") -> None:
        self._token = token.encode()
        self._web_host = URL(web_url).host if web_url else None

    @property
    def asks(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._token)

    def cookie(self) -> str:
        """Return the cookie's value: made from the token, equal on every worker, not the token itself."""
        return hmac.new(self._token, b"gpu-health-session", "sha256").hexdigest()

    def token_matches(self, token: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token)

    def admits(self, request: web.Request) -> bool:
        """Whether ``request`` may be answered."""
        if not self.asks or request.path in OPEN_PATHS:
            return True
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.token_matches(credentials.strip()):
            return True
        sent = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), self.cookie().encode())

    def trusts_host(self, request: web.Request) -> bool:
        """Whether the name the server was called by is this machine's.

        Without a token only the loopback answers, and a page of another site must not reach it under a
        name of its own that resolves to 127.0.0.1.
        """
        if self.asks:
            return True
        host = request.url.host or ""
        return is_loopback(host) or host == self._web_host
