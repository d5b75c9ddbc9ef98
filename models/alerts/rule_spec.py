"""A rule as data: all that is to be known of it in one place. A family's file holds its specs and its conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Final, Literal, NamedTuple, Protocol

from models.alerts.alert_state import AlertState, Worse
from models.alerts.operator_actions import Action
from models.alerts.rules_settings import Rules
from models.gpu.state import GpuState
from schemas.alert import ActionCode, AlertEvent, CauseClass, Severity
from schemas.sample import Sample

RUNBOOKS: Final = "docs/runbooks.md"
# What may begin a rule, where it is not one signal.
ANYTHING: Final = -1
NOTHING: Final = -2


class Scored(Protocol):
    """What the rules read of the scores; NaN where a score is null."""

    @property
    def overall(self) -> float:
        """Points, 0-100."""


class Risked(Protocol):
    """What the rules read of the risk."""

    @property
    def evidence_floor(self) -> bool:
        """Whether hard evidence holds the risk up."""

    @property
    def probability_30d(self) -> float:
        """Of a failure within 30 days."""

    @property
    def fleet_probability_30d(self) -> float:
        """The fleet's base rate."""


@dataclass(slots=True)
class Look:
    """What a rule may look at, after the state has taken the sample; scores and risk are None on hosts."""

    state: GpuState
    sample: Sample
    scores: Scored | None
    risk: Risked | None
    rules: Rules


class Reading(NamedTuple):
    """A condition in one sample.

    ``active`` and ``clear`` are both false between the limits of the hysteresis and where nothing was measured:
    then nothing begins, and nothing goes on clearing. ``what`` fills the summary, ``quantity`` names what is
    measured where a rule has several. ``severity`` and ``page`` replace those of the rule.
    """

    active: bool
    clear: bool
    value: float = nan
    limit: float = nan
    what: str = ""
    quantity: str = ""
    severity: Severity | None = None
    page: bool | None = None
    worse: Worse | None = None


# Of a condition that is not true the value is not asked for.
IDLE: Final = Reading(False, False)
CLEAR: Final = Reading(False, True)

Reads = Callable[[Look], Reading]
Moves = Callable[[Look, list[AlertEvent]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """One rule.

    Parameters
    ----------
    name
        Of the rule, in records, silences and the runbook.
    cause
        Class of its incidents; None: that of the XID.
    severity, page
        What it is at least, and whether it can page at all; a reading or a fault may say otherwise.
    judged, acts
        How severity and page, and the action, are decided, in words, where it is not always the same.
    action
        What to do first, with its code, and its ladder where it is not that of the code.
    summary
        Template: ``value``, ``limit`` and ``what`` of the reading.
    unit
        Of value and limit.
    worse
        Which way a value is worse; empty: values are not comparable.
    fires, clears
        In words for the documentation; ``{setting:g}`` and ``{setting:span}`` are numbers of ``rules.toml``.
    hold, clear
        The settings (s) for how long the condition must be true, and must be gone; empty: at once.
    reads
        The condition, for the common lifecycle. None: XIDs, silence or role notify report it.
    moves
        What a rule does at each sample that is not a condition.
    wakes
        The signal (slot) of which a value above 0 may begin it: the fast exit looks at it. ANYTHING: something else
        may begin it, which has its line in the fast exit of ``rules.py``; NOTHING: no sample begins it.
    scope
        Whose samples it reads.
    trial
        Evaluated, stored and shown, and wakes nobody; ``rules.toml`` may say so of any rule.
    """

    name: str
    cause: CauseClass | None
    severity: Severity
    page: bool
    action: Action
    summary: str
    fires: str
    clears: str
    judged: str = ""
    acts: str = ""
    unit: str = ""
    worse: Worse = "higher"
    hold: str = ""
    clear: str = ""
    reads: Reads | None = None
    moves: Moves | None = None
    wakes: int = ANYTHING
    scope: Literal["gpu", "host", "fleet"] = "gpu"
    trial: bool = False

    def __post_init__(self) -> None:
        for setting in filter(None, (self.hold, self.clear)):
            if setting not in Rules.__struct_fields__:
                raise ValueError(f"{self.name}: rules.toml has no {setting}")

    @property
    def action_code(self) -> ActionCode:
        """What to do first, for machines."""
        return self.action.code

    @property
    def ladder(self) -> tuple[ActionCode, ...]:
        """What follows where the action did not help."""
        return self.action.ladder

    @property
    def runbook(self) -> str:
        """Where a person reads what to do."""
        return f"{RUNBOOKS}#{self.name}"

    def hold_seconds(self, rules: Rules) -> float:
        """Return how long the condition must be true before it fires."""
        return float(getattr(rules, self.hold)) if self.hold else 0.0

    def clear_seconds(self, rules: Rules) -> float:
        """Return how long the condition must be gone before it resolves."""
        return float(getattr(rules, self.clear)) if self.clear else 0.0

    def on_trial(self, rules: Rules) -> bool:
        """Tell whether it wakes nobody."""
        return self.trial or self.name in rules.trial

    def summary_of(self, reading: Reading) -> str:
        """Return the summary of a reading."""
        return self.summary.format(value=reading.value, limit=reading.limit, what=reading.what)

    def draft(
        self,
        at: float,
        rules: Rules,
        *,
        value: float = nan,
        limit: float = nan,
        what: str = "",
        quantity: str = "",
        severity: Severity | None = None,
        page: bool | None = None,
        action: Action | None = None,
        cause: CauseClass | None = None,
        key: str = "",
        worse: Worse | None = None,
    ) -> AlertState:
        """Return the alert of this rule whose condition began at ``at`` (epoch s); it is not in any state yet."""
        own_cause = cause or self.cause
        if own_cause is None:
            raise ValueError(f"{self.name} has no cause of its own")
        return AlertState(
            key or self.name,
            self.name,
            own_cause,
            at,
            severity=severity or self.severity,
            page=self.page if page is None else page,
            trial=self.on_trial(rules),
            summary=self.summary.format(value=value, limit=limit, what=what),
            action=action or self.action,
            value=value,
            limit=limit,
            unit=self.unit,
            quantity=quantity,
            worse=worse or self.worse,
        )
