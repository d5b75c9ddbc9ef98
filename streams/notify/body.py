"""What a receiver is sent: the notification and the alert that it is about."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec

from agents.notify.telling import Delivery

# Standard Webhooks 1.0.0 advises bodies under 20 kB.
BODY_LIMIT_BYTES: Final = 20_000


def body_of(delivery: Delivery, web_url: str) -> bytes:
    """Return the JSON body; evidence is left out where it would be too large.

    Parameters
    ----------
    web_url
        Address that people reach the look-ups by; empty: no link.
    """
    alert = delivery.alert
    subject = alert.gpu_id or (f"host:{alert.host_id}" if alert.host_id else None)
    link = f"{web_url.rstrip('/')}/gpus/{quote(subject, safe='')}/" if web_url and subject else None
    content: dict[str, Any] = {
        "type": f"gpu_health.alert.{delivery.notification.status}",
        "timestamp": delivery.notification.at,
        "data": {"notification": delivery.notification, "alert": alert, "link": link},
    }
    body = msgspec.json.encode(content)
    if len(body) > BODY_LIMIT_BYTES:
        content["data"]["alert"] = msgspec.structs.replace(alert, evidence=[{"kind": "left_out", "why": "size"}])
        body = msgspec.json.encode(content)
    return body
