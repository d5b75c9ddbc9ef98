"""A small fleet in tables, and a client of the routes over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from schemas.alert import AlertEvent
from schemas.status import GpuStatus, OpenAlert
from streams.telemetry.fleet import FleetCollector
from streams.telemetry.registry import Telemetry
from streams.web.auth import Gate
from streams.web.driver import BODY_LIMIT_BYTES
from streams.web.lookups import Lookups
from streams.web.middleware import json_response, middlewares
from streams.web.routes import Readiness, Routes

Client = TestClient[web.Request, web.Application]


def status(gpu_id: str, **fields: object) -> GpuStatus:
    """Return a GpuStatus of a GPU in good health, but for ``fields``."""
    values: dict[str, object] = {
        "gpu_id": gpu_id,
        "host_id": "node1",
        "model": "NVIDIA H100",
        "serial": None,
        "pci_bus_id": None,
        "slot": None,
        "rack_id": None,
        "driver_version": None,
        "workload": None,
        "source": "test",
        "simulated": False,
        "last_seen": "2026-02-09T12:00:00.000Z",
        "appended_at": "2026-02-09T12:00:01.000Z",
        "interval_seconds": 10.0,
        "values": {"gpu_temp_celsius": 51.0},
        "overall_score": 96,
        "thermal_score": 95,
        "memory_score": 97,
        "power_score": 96,
        "link_score": None,
        "band": "excellent",
        "partial": False,
        "risk_score": 3,
        "risk_level": "low",
        "failure_probability_7d": 0.001,
        "failure_probability_30d": 0.004,
        "action": "KEEP",
        "alerts": [],
        "missing": False,
        "samples": 12,
        "late_samples": 0,
    }
    return msgspec.convert({**values, **fields}, GpuStatus)


def open_alert(severity: str = "critical", page: bool = True) -> OpenAlert:
    """Return an alert of a GpuStatus."""
    return OpenAlert(
        rule="gpu_lost",
        severity=severity,
        page=page,
        starts_at="2026-02-09T12:00:00Z",
        incident_id="i",
        summary="lost",
    )


def alert(fingerprint: str, **fields: object) -> AlertEvent:
    """Return a firing alert, but for ``fields``."""
    names = AlertEvent.__struct_fields__
    values: dict[str, object] = dict.fromkeys(names, "")
    del values["action"]
    values |= {"page": False, "history": False, "members": [], "evidence": [], "schema_version": 2}
    values |= {"worst": None, "last": None, "count": 1, "action_code": "watch", "action_ladder": [], "trial": False}
    values |= dict.fromkeys(("gpu_id", "host_id", "suppressed_by", "ends_at", "value", "limit"), None)
    values |= {"fingerprint": fingerprint, "status": "firing", "severity": "warning", "scope": "gpu"}
    values |= {"starts_at": "2026-02-09T12:00:00Z", "updated_at": "2026-02-09T12:00:00Z"}
    return msgspec.convert({**values, **fields}, AlertEvent)


@dataclass
class Tables:
    """The tables as plain dicts."""

    status: dict[bytes, bytes] = field(default_factory=dict)
    health: dict[bytes, bytes] = field(default_factory=dict)
    risk: dict[bytes, bytes] = field(default_factory=dict)
    advice: dict[bytes, bytes] = field(default_factory=dict)
    alerts: dict[bytes, bytes] = field(default_factory=dict)

    def put(self, *records: GpuStatus | AlertEvent) -> None:
        """Store the records under their keys."""
        for record in records:
            value = msgspec.json.encode(record)
            if isinstance(record, GpuStatus):
                self.status[record.gpu_id.encode()] = value
            else:
                self.alerts[record.fingerprint.encode()] = value


async def _windows(request: web.Request, gpu_id: str) -> web.Response:
    if gpu_id == "GPU-broken":
        raise RuntimeError("the secret of the failure")
    return json_response(b'{"windows":[]}')


@asynccontextmanager
async def client_of(
    tables: Tables, *, token: str = "", web_url: str = "", ready: bool = True
) -> AsyncIterator[Client]:
    """Yield a client of a server with role view's routes over ``tables``."""
    gate = Gate(token, web_url)
    lookups = Lookups(tables)
    telemetry = Telemetry("view")
    telemetry.add_collector(FleetCollector(lookups))
    app = web.Application(middlewares=middlewares(gate), client_max_size=BODY_LIMIT_BYTES)
    Routes(
        lookups=lookups,
        windows=_windows,
        readiness=lambda: Readiness(ready, {"tables_restored": ready}),
        telemetry=telemetry,
        gate=gate,
    ).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield client
