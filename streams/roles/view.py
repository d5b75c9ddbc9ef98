"""Role view: keeps the latest records and windows of the fleet in Faust tables and answers look-ups."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
from faust.types import EventT, StreamT, TopicT

from agents.ports import Clock
from agents.view.listing import decode_row
from agents.view.rows import AlertRow, ResolvedAlerts, StatusRow, is_over, resolved_to_forget
from agents.view.windows import WINDOWS_KEPT_SECONDS, Window, update_window
from schemas import topics
from streams.clock import SystemClock
from streams.roles.view_tables import ViewTables, create_tables
from streams.settings import Settings
from streams.telemetry.fleet import FleetCollector
from streams.telemetry.registry import Telemetry
from streams.transport.app import HealthApp, create_app
from streams.transport.rebalance_flow import clear_once_a_rebalance
from streams.transport.rebalance_watch import RebalanceWatch
from streams.web.auth import Gate, is_loopback, require_token
from streams.web.driver import BODY_LIMIT_BYTES, ViewWeb
from streams.web.lookups import Lookups
from streams.web.middleware import middlewares
from streams.web.readiness import BrokerWatch, readiness
from streams.web.routes import Routes
from streams.web.windows import WindowRoute

# /alerts/?status=resolved shows recent history; all of it is in the database.
RESOLVED_KEPT = 500
_FORGET_WINDOWS_EVERY_SECONDS = 900.0
_STATUS = msgspec.json.Decoder(StatusRow)
_ALERT = msgspec.json.Decoder(AlertRow)
_WINDOW = msgspec.json.Decoder(Window)
_WINDOW_ENCODER = msgspec.json.Encoder()


def build(settings: Settings, telemetry: Telemetry | None = None, clock: Clock | None = None) -> HealthApp:
    """Return the Faust app of role view.

    Raises
    ------
    ShutdownError
        The web server would be reachable from other machines without a token.
    """
    require_token(settings)
    telemetry = telemetry or Telemetry("view")
    clock = clock or SystemClock()
    port = settings.web_port or free_port(settings.web_host)
    settings = settings.model_copy(update={"web_port": port})
    gate = Gate(settings.web_token.get_secret_value(), settings.web_url)
    app = create_app(
        "view",
        settings,
        canonical_url=f"http://{_reachable_host(settings.web_host)}:{port}",
        # Without a standby Faust assigns look-ups' partitions round-robin, and no owner is known.
        table_standby_replicas=1,
        web_application_options={
            "middlewares": middlewares(gate),
            "client_max_size": BODY_LIMIT_BYTES,
        },
    )
    clear_once_a_rebalance(app)
    tables = create_tables(app, settings)
    source = _Sources(app, settings, telemetry)
    status_topic = source.topic(topics.STATUS)
    source.keep(topics.STATUS, status_topic, _status_taker(tables))
    source.keep(topics.HEALTH_SCORES, source.topic(topics.HEALTH_SCORES), _latest_taker(tables.health))
    source.keep(topics.RISK_SCORES, source.topic(topics.RISK_SCORES), _latest_taker(tables.risk))
    source.keep(topics.RECOMMENDATIONS, source.topic(topics.RECOMMENDATIONS), _latest_taker(tables.advice))
    source.keep(topics.ALERTS, source.topic(topics.ALERTS), _alert_taker(tables))

    lookups = Lookups(tables)
    watch = BrokerWatch(app, settings, clock, telemetry)
    telemetry.add_collector(FleetCollector(lookups))
    app.task(watch.run)
    app.task(RebalanceWatch(app, clock, settings.session_timeout_seconds).run)

    async def forget_old_windows() -> None:
        tables.window_store.forget(clock.time() - WINDOWS_KEPT_SECONDS)

    app.timer(_FORGET_WINDOWS_EVERY_SECONDS)(forget_old_windows)
    app.web = ViewWeb(
        app,
        Routes(
            lookups=lookups,
            windows=WindowRoute(app, tables, status_topic, clock).answer,
            readiness=lambda: readiness(app, watch),
            telemetry=telemetry,
            gate=gate,
        ),
    )
    return app


class _Sources:
    """Declares the topics that the tables are written from, and an agent on each."""

    def __init__(self, app: HealthApp, settings: Settings, telemetry: Telemetry) -> None:
        self._app = app
        self._settings = settings
        self._telemetry = telemetry

    def topic(self, name: str) -> TopicT:
        return self._app.topic(
            self._settings.topic(name),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )

    def keep(self, name: str, topic: TopicT, take: Callable[[EventT[Any]], bool]) -> None:
        """Run ``take`` on each event of ``topic``; where it returns False the record was unreadable."""
        records_in = self._telemetry.records_in.labels(name)
        unreadable = self._telemetry.unreadable.labels(name)

        async def agent(stream: StreamT[Any]) -> AsyncIterator[None]:
            async for event in stream.events():
                records_in.inc()
                try:
                    if not take(event):
                        unreadable.inc()
                except Exception as error:  # noqa: BLE001 - Faust would log it and restart the agent
                    self._app.fail(error)
                    return
                yield

        self._app.agent(topic, name=f"view-{name}")(agent)


def _latest_taker(table: Any) -> Callable[[EventT[Any]], bool]:
    def take(event: EventT[Any]) -> bool:
        key, value = cast("bytes | None", event.key), cast("bytes | None", event.value)
        if not key:
            return False
        if value:
            table[key] = value
        else:
            table.pop(key, None)
        return True

    return take


def _status_taker(tables: ViewTables) -> Callable[[EventT[Any]], bool]:
    latest = _latest_taker(tables.status)

    def take(event: EventT[Any]) -> bool:
        if not event.value:
            # A forgotten GPU: nothing of it is shown any more.
            for table in (tables.health, tables.risk, tables.advice):
                table.pop(event.key, None)
            return latest(event)
        row = decode_row(_STATUS, event.value)
        if row is None or not latest(event):
            return False
        if not row.is_host:
            kept = tables.windows[row.gpu_id].value(event)
            window = update_window(_WINDOW.decode(kept) if kept else None, row)
            if window is not None:
                tables.windows[row.gpu_id] = _WINDOW_ENCODER.encode(window)
        return True

    return take


def _alert_taker(tables: ViewTables) -> Callable[[EventT[Any]], bool]:
    resolved = ResolvedAlerts()

    def take(event: EventT[Any]) -> bool:
        row = decode_row(_ALERT, event.value or b"")
        if row is None:
            return False
        key = row.fingerprint.encode()
        if is_over(row, decode_row(_ALERT, tables.alerts.get(key) or b"")):
            return True
        tables.alerts[key] = event.value
        if resolved.look(row, held=len(tables.alerts), keep=RESOLVED_KEPT):
            rows = (decode_row(_ALERT, value) for value in tables.alerts.values())
            for fingerprint in resolved_to_forget((r for r in rows if r is not None), RESOLVED_KEPT):
                tables.alerts.pop(fingerprint.encode(), None)
        return True

    return take


def _reachable_host(web_host: str) -> str:
    """Return the name that the other workers reach this one by."""
    if is_loopback(web_host):
        return "127.0.0.1" if web_host == "localhost" else web_host
    return socket.gethostname() if web_host in ("0.0.0.0", "::") else web_host


def free_port(host: str) -> int:
    """Return a port that nobody listens on at ``host``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return cast(int, probe.getsockname()[1])
