"""What doctor says: one checked thing, its state, the evidence, and what to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

State = Literal["ok", "warning", "problem"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One checked thing.

    ``repair`` is what a person does or types, empty where there is nothing to do.
    """

    check: str
    state: State
    what: str
    evidence: str = ""
    repair: str = ""


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 where something is wrong; advice alone is no error."""
    return 1 if any(finding.state == "problem" for finding in findings) else 0


def as_table(findings: Sequence[Finding]) -> str:
    """Return the findings for a terminal: what, then evidence and repair under it.

    >>> print(as_table([Finding(check="broker", state="ok", what="reachable", evidence="h:9092")]))
    ok       broker     reachable (h:9092)
    """
    lines: list[str] = []
    for finding in findings:
        evidence = f" ({finding.evidence})" if finding.evidence else ""
        lines.append(f"{finding.state:<8} {finding.check:<10} {finding.what}{evidence}")
        if finding.repair:
            lines.append(f"{'':<20}repair: {finding.repair}")
    return "\n".join(lines)
