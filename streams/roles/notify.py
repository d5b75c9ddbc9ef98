"""Role notify: whoever owns the one partition of gpu-alerts leads; further workers stand by."""

from __future__ import annotations

import os
from typing import Any, cast

from agents.ports import Clock
from streams.clock import SystemClock
from streams.leading.leadership import Leadership
from streams.notify.led import SCOPE, NotifyLed
from streams.notify.receivers.file import load_receivers
from streams.settings import Settings
from streams.telemetry.registry import Telemetry
from streams.telemetry.server import MetricsServer
from streams.transport.app import HealthApp, create_app


def build(settings: Settings, telemetry: Telemetry | None = None, clock: Clock | None = None) -> HealthApp:
    """Return the Faust app of role notify.

    Raises
    ------
    ShutdownError
        The receivers file or a secret is unusable.
    """
    receivers = load_receivers(settings.receivers, os.environ)
    app = create_app(SCOPE.role, settings)
    telemetry = telemetry or Telemetry(SCOPE.role, settings.restarts)
    clock = clock or SystemClock()

    def led() -> NotifyLed:
        return NotifyLed(settings, receivers, clock=clock, telemetry=telemetry)

    Leadership(app, settings, SCOPE, led, clock=clock, telemetry=telemetry).attach()
    # An instance serves as well as a class.
    app.service(cast(Any, MetricsServer(telemetry, settings.metrics_host, settings.metrics_port)))
    return app
