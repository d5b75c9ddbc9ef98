"""State of one rule of one GPU or host while it is not inactive."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan
from typing import Any, Final, Literal, Self

from models.alerts.operator_actions import Action, action_of_text
from models.gpu.measured import measured
from schemas.alert import CauseClass, Severity

# Which way a value is worse; empty: values are not comparable.
Worse = Literal["higher", "lower", ""]

# Counting: minutes of throttling are being counted. Pending: true, not held long enough. Waiting: a fault
# whose company is awaited. Firing. Clearing: firing, and the condition is over for now.
COUNTING: Final = 0
PENDING: Final = 1
WAITING: Final = 2
FIRING: Final = 3
CLEARING: Final = 4

SEVERITY_RANK: Final[dict[str, int]] = {"info": 0, "warning": 1, "error": 2, "critical": 3}
KEPT_EVIDENCE: Final = 8


class AlertState:
    """Phase, deadline and words of one alert.

    Attributes
    ----------
    key
        Identity within the GPU: the rule; for XIDs with the cause, on hosts with the PCI address.
    deadline
        Event time at which the phase ends by itself: pending and waiting fire, firing and clearing resolve.
    wait_clock
        Append time at which waiting ends when no sample comes.
    since, last_at
        When the condition began (pending) or the fault was reported first; when it was reported last.
    emitted_at
        Time of its newest event: a change that is reported late is dated no earlier.
    clean_seconds
        A fault that was reported, not a condition that lasts: it ends this long after its last report (0: a
        condition).
    page
        Whether this alone would page, history, inhibition and trial counted.
    worst, worse, quantity
        The worst value since it began, which way is worse, and what is measured where the rule has several:
        values of another quantity are not compared.
    last
        The value of the newest sample, or report, that showed it.
    count
        How often the condition began, or the fault was reported.
    told_worst, told_count
        As they were published last.
    minutes, hardware_minutes, minute
        Throttling: bit 0 is minute ``minute`` (epoch), bit i the i-th before it.
    """

    __slots__ = (
        "action",
        "cause",
        "clean_seconds",
        "codes",
        "count",
        "deadline",
        "emitted_at",
        "evidence",
        "hardware_minutes",
        "history",
        "incident_id",
        "key",
        "last",
        "last_at",
        "limit",
        "minute",
        "minutes",
        "page",
        "pci",
        "phase",
        "quantity",
        "rule",
        "severity",
        "since",
        "starts_at",
        "summary",
        "suppressed_by",
        "told_count",
        "told_worst",
        "trial",
        "unit",
        "value",
        "wait_clock",
        "worse",
        "worst",
    )

    def __init__(
        self,
        key: str,
        rule: str,
        cause: CauseClass,
        at: float,
        *,
        severity: Severity,
        page: bool,
        summary: str,
        action: Action,
        value: float = nan,
        limit: float = nan,
        unit: str = "",
        quantity: str = "",
        worse: Worse = "",
        trial: bool = False,
    ) -> None:
        self.key = key
        self.rule = rule
        self.cause = cause
        self.phase = PENDING
        self.deadline = inf
        self.clean_seconds = 0.0
        self.wait_clock = inf
        self.since = at
        self.last_at = at
        self.starts_at = nan
        self.emitted_at = at
        self.incident_id = ""
        self.severity: Severity = severity
        self.page = page
        self.history = False
        self.suppressed_by: str | None = None
        self.value = value
        self.limit = limit
        self.unit = unit
        self.quantity = quantity
        self.worse: Worse = worse
        self.worst = self.told_worst = value if worse else nan
        self.last = value
        self.count = self.told_count = 1
        self.trial = trial
        self.summary = summary
        self.action = action
        self.codes: list[int] = []
        self.evidence: list[dict[str, Any]] = []
        self.pci: str | None = None
        self.minutes = 0
        self.hardware_minutes = 0
        self.minute = 0

    @property
    def open(self) -> bool:
        """Whether it was published as firing and not yet as over."""
        return self.phase >= FIRING

    def add_evidence(self, item: dict[str, Any]) -> None:
        """Keep the first items and the newest."""
        if len(self.evidence) >= KEPT_EVIDENCE:
            self.evidence.pop()
        self.evidence.append(item)

    @property
    def grown(self) -> bool:
        """Whether it is worse, or was reported more often, than is published."""
        worst, told = self.worst, self.told_worst
        return self.count != self.told_count or (worst != told and (measured(worst) or measured(told)))

    def compare(self, value: float, quantity: str = "") -> bool:
        """Keep ``value``, also as the worst where it is worse than all before; tell whether anything changed."""
        if quantity != self.quantity or not measured(value):
            return False
        changed = value != self.last
        self.last = value
        if self.worse and (value < self.worst if self.worse == "lower" else value > self.worst):
            self.worst = value
        return changed

    def to_plain(self) -> dict[str, Any]:
        """Return plain values by name for the state record; what is not finite becomes None."""
        plain = {name: _plain(getattr(self, name)) for name in self.__slots__}
        action = self.action
        return {**plain, "action": action.text, "action_code": action.code, "action_ladder": list(action.ladder)}

    @classmethod
    def from_plain(cls, packed: Mapping[str, Any]) -> Self:
        """Return the state that :meth:`to_plain` packed, by this version or by one that had other attributes."""
        text, code = packed["action"], packed.get("action_code")
        alert = cls(
            packed["key"],
            packed["rule"],
            packed["cause"],
            packed["since"],
            severity=packed["severity"],
            page=packed["page"],
            summary=packed["summary"],
            action=action_of_text(text) if code is None else Action(code, text, tuple(packed["action_ladder"])),
        )
        for name in cls.__slots__:
            if name != "action" and name in packed:
                value = packed[name]
                setattr(alert, name, _WITHOUT[name] if value is None and name in _WITHOUT else value)
        if "told_count" not in packed:  # by a release that did not tell what grew
            alert.last, alert.told_worst, alert.told_count = alert.value, alert.worst, alert.count
        if "said_at" in packed:  # as release 0.1.0 called it
            alert.emitted_at = packed["said_at"]
        return alert


_WITHOUT: Final = {"deadline": inf, "wait_clock": inf} | dict.fromkeys(
    ("starts_at", "value", "limit", "worst", "told_worst", "last"), nan
)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
