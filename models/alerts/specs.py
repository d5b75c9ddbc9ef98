"""Every rule there is. A new family's file has its line here; all else about a rule follows from its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.alerts import (
    clock,
    grouping,
    host_rules,
    memory_rules,
    pipeline,
    recovery,
    silence,
    thermal_rules,
    throttling,
    trend_rules,
    xid_rules,
)
from models.alerts.rule_spec import RuleSpec

# In the order in which they look at a sample.
SPECS: Final[tuple[RuleSpec, ...]] = (
    *silence.SPECS,
    *memory_rules.SPECS,
    *recovery.SPECS,
    *thermal_rules.SPECS,
    *throttling.SPECS,
    *trend_rules.SPECS,
    *xid_rules.SPECS,
    *host_rules.SPECS,
    *grouping.SPECS,
    *clock.SPECS,
    *pipeline.SPECS,
)
BY_NAME: Final[Mapping[str, RuleSpec]] = {spec.name: spec for spec in SPECS}
if len(BY_NAME) != len(SPECS):
    raise ValueError("two rules have one name")

GPU_RULES: Final = tuple(spec for spec in SPECS if spec.scope == "gpu" and (spec.reads or spec.moves))
HOST_RULES: Final = tuple(spec for spec in SPECS if spec.scope == "host" and (spec.reads or spec.moves))
# Signals of which a value above 0 may begin a rule.
WAKING: Final[tuple[int, ...]] = tuple(sorted({spec.wakes for spec in GPU_RULES if spec.wakes >= 0}))
