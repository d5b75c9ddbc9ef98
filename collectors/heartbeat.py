"""The host's own message, each interval, whether or not its exporter answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.raw import HOST_PREFIX
from schemas.times import format_time


def heartbeat_message(
    *,
    host_id: str,
    time: float,
    interval_seconds: float,
    source: str,
    facts: Mapping[str, float],
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """Return the heartbeat of a host at ``time`` (epoch s).

    Facts (a fact that is not known is left out, never zero):

    ``exporter_up``
        1 where every exporter of the host answered, else 0.
    ``exporter_count``
        Exporters that are asked.
    ``gpu_count``
        GPUs that the scrapes name; only where every exporter answered.
    ``scrape_seconds``
        The longest answer; of a failed scrape the time until it failed.
    ``scrape_damaged_lines``
        Lines that could not be read.

    >>> heartbeat_message(host_id="n1", time=1770638400.0, interval_seconds=10.0, source="dcgm",
    ...                   facts={"exporter_up": 0.0}, labels={})["gpu_id"]
    'host:n1'
    """
    return {
        "timestamp": format_time(time),
        "gpu_id": f"{HOST_PREFIX}{host_id}",
        "host_id": host_id,
        "metrics": dict(facts),
        "labels": dict(labels),
        "interval_seconds": interval_seconds,
        "source": source,
        "schema_version": 1,
    }
