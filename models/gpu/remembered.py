"""What the scores, the risk and the rules remember of one GPU beyond its windows.

As in :mod:`models.gpu.published`, the types live beside the state that packs them, and each names the module that
owns it.
"""

from __future__ import annotations

import msgspec


class Inputs(msgspec.Struct, array_like=True):
    """Which inputs of the scores are measured; owned by :mod:`models.health.coverage`, packed by position.

    ``mask`` has the bits of the inputs measured in the last sample or within the grace before it; ``absent``
    the bits within their grace, each with the event time (epoch s) at which it was missed first.
    """

    mask: int
    absent: list[tuple[int, float]] = []


class DecayedEvents(msgspec.Struct, frozen=True, array_like=True):
    """Hardware events of one group; owned by :mod:`models.risk.history`, packed by position.

    ``last_at`` is the event time (epoch s) of the last one counted, ``sum_*`` the events decayed with 7, 30 and
    90 days as they stood then.
    """

    last_at: float
    sum_7d: float
    sum_30d: float
    sum_90d: float


class XidTimes(msgspec.Struct, array_like=True):
    """When one XID code, or one place of a code, was seen; owned by :mod:`models.alerts.xid`, packed by position.

    ``log_at`` and ``gauge_at`` are the event times (epoch s) of the last occurrence by source, ``bursts`` those of
    the last line of each of the last bursts, oldest first.
    """

    log_at: float | None = None
    gauge_at: float | None = None
    bursts: list[float] = []


class Remembered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered; what is empty is not packed.

    ``risk_history`` is by group of :mod:`models.risk.history`, ``xid`` by code or place; ``uncorrected_at`` is the
    event time (epoch s) of the last uncorrected error, owned by :mod:`models.alerts.memory_rules`.
    """

    inputs: Inputs | None = None
    risk_history: dict[str, DecayedEvents] = {}
    xid: dict[str, XidTimes] = {}
    uncorrected_at: float | None = None
