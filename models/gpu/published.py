"""What was published last of one GPU: a change against it is what is published next.

The state keeps these structs and packs them, so their types live beside it: this room may not import the rooms
that fill them, and a struct a field is checked by mypy and decoded by msgspec without a registry of packers.
Each struct names the module that owns it; no other module assigns it. A field that is None was never published
and is not packed.
"""

from __future__ import annotations

import msgspec

from schemas.recommendation import Action
from schemas.risk_score import RiskLevel


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The unrounded scores of the last HealthScore (None: null); owned by :mod:`models.health.overall`.

    ``at`` is event time (epoch s); ``evidence`` how often the evidence that stood was seen; ``coverage`` the share
    of the inputs that were measured (0 to 1; None: published before it was kept).
    """

    at: float
    overall: float | None
    thermal: float | None
    memory: float | None
    power: float | None
    evidence: int
    coverage: float | None = None


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Level and event time (epoch s) of the last RiskScore; owned by :mod:`models.risk.explain`."""

    level: RiskLevel
    at: float


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The action that stands and what it was decided from; owned by :mod:`models.economics.policy`.

    ``at`` is event time (epoch s), ``band`` the tens of the overall score (-1: null), ``probability`` that of a
    failure within 30 days, ``prices`` their version, ``warranty`` its end as the asset list says it.
    """

    action: Action
    at: float
    band: int
    level: RiskLevel
    replace_class: bool
    probability: float
    prices: int
    warranty: str | None


class Status(msgspec.Struct, frozen=True, array_like=True):
    """Scores (whole points, None: null) and risk of the last GpuStatus that was news.

    Owned by :mod:`agents.score.status`, which also publishes it between a restore and the next sample. Packed
    by position: append only.
    """

    overall: int | None = None
    thermal: int | None = None
    memory: int | None = None
    power: int | None = None
    partial: bool = False
    risk_score: int = 0
    risk_level: RiskLevel = "low"
    probability_7d: float = 0.0
    probability_30d: float = 0.0


class Published(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was published last, by kind of record."""

    health: Health | None = None
    risk: Risk | None = None
    advice: Advice | None = None
    status: Status | None = None
