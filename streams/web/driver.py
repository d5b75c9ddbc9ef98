"""Faust's aiohttp server with our paths alone."""

from __future__ import annotations

from typing import Any

import faust
from aiohttp import web
from faust.web.drivers.aiohttp import Web

from streams.web.routes import Routes

# The largest body is the login form's.
BODY_LIMIT_BYTES = 64 * 1024


class ViewWeb(Web):
    """Serves :class:`streams.web.routes.Routes` and none of Faust's own pages, which ask for no token."""

    default_blueprints = ()
    production_blueprints = ()
    debug_blueprints = ()
    optional_blueprints = ()

    def __init__(self, app: faust.App, routes: Routes, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        routes.add_to(self.web_app)

    @property
    def application(self) -> web.Application:
        """The aiohttp application, for tests without a socket."""
        return self.web_app
