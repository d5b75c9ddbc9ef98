"""The tables of docs/alerts.md, made from the rules themselves: ``python -m streams.rules_doc`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from models.alerts.operator_actions import LADDERS, RECOVERY_ACTIONS, TENANT_TEXTS
from models.alerts.rule_spec import RuleSpec
from models.alerts.rules_file import load_rules
from models.alerts.specs import SPECS

PATH: Final = Path(__file__).resolve().parents[1] / "docs" / "alerts.md"
_BEGIN: Final = "<!-- {name}: made by `python -m streams.rules_doc` -->\n"
_END: Final = "<!-- end of {name} -->\n"


class Number(float):
    """A number of ``rules.toml`` in a text; format ``span`` reads it as seconds.

    >>> f"{Number(90):span}, {Number(600):span}, {Number(86400):span}, {Number(604800):span}, {Number(85):g} C"
    '90 s, 10 min, 24 h, 7 d, 85 C'
    """

    def __format__(self, spec: str) -> str:
        if spec != "span":
            return super().__format__(spec)
        for seconds, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
            if self >= (2 if unit == "d" else 1) * seconds and self % seconds == 0:
                return f"{self / seconds:g} {unit}"
        return f"{self:g} s"


def document(text: str) -> str:
    """Return the text of docs/alerts.md with its tables made anew."""
    for name, table in (("rules", _rules()), ("actions", _actions()), ("recovery", _recovery())):
        begin, end = _BEGIN.format(name=name), _END.format(name=name)
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"docs/alerts.md has no place for the table of {name}")
        text = before + begin + table + end + after
    return text


def _rules() -> str:
    settings = msgspec.structs.asdict(load_rules())
    numbers = {name: Number(value) for name, value in settings.items() if isinstance(value, float | int)}
    head = "| rule | cause | fires | clears | severity, page | action |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(spec, numbers) for spec in SPECS)


def _row(spec: RuleSpec, numbers: Mapping[str, Number]) -> str:
    fires, clears, judged = (text.format_map(numbers) for text in (spec.fires, spec.clears, spec.judged))
    fires += f", for {numbers[spec.hold]:span}" if spec.hold else ""
    clears += f", for {numbers[spec.clear]:span}" if spec.clear else ""
    judged = judged or f"{spec.severity}{', page' if spec.page else ''}"
    if spec.trial:
        judged += "; on trial"
    cells = (
        f"[{spec.name}](runbooks.md#{spec.name})",
        spec.cause or "of the XID",
        fires,
        clears,
        judged,
        spec.acts or f"`{spec.action_code}`",
    )
    return f"| {' | '.join(cells)} |\n"


def _actions() -> str:
    rows = (
        f"| `{code}` | {', '.join(f'`{one}`' for one in ladder)} | {TENANT_TEXTS[code]} |\n"
        for code, ladder in LADDERS.items()
    )
    return "| action_code | action_ladder | tenant_text |\n|---|---|---|\n" + "".join(rows)


def _recovery() -> str:
    rows = (f"| {value} | {words} | `{code}` |\n" for value, (code, words) in RECOVERY_ACTIONS.items())
    return "| driver's value | it asks to | action_code |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    PATH.write_text(document(PATH.read_text("utf-8")), encoding="utf-8")
