"""Write the migrations whose columns follow from schemas/: ``python -m streams.db.generate``.

The text is in sql/templates; this fills in the columns. A test guards that the files agree with the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agents.store.raw_rows import GUIDE_COLUMNS, SIGNAL_COLUMNS
from agents.store.rows import EVENT_TABLES, EventTable
from schemas.signals import SIGNALS
from streams.db.files import SQL_DIR

_AVG_AND_MAX = ("temp_gpu", "temp_memory", "temp_hotspot", "power_draw", "util_gpu", "util_memory") + (
    "memory_used",
    "clock_gpu",
    "clock_memory",
)
_MIN = ("power_draw", "clock_gpu")
_LAST = ("power_limit", "memory_total")
# Bits of clocks_event_reasons that are no fault: idle, application clocks, power cap, sync boost, display clock.
_BENIGN_MASK = 0x117


def _metrics_columns() -> Iterator[str]:
    yield from ("time timestamptz NOT NULL,", "gpu_id text NOT NULL,", "host_id text NOT NULL,")
    others = [signal.column for signal in SIGNAL_COLUMNS if signal.column not in GUIDE_COLUMNS]
    for column in (*GUIDE_COLUMNS, *others):
        yield f"{column} double precision,"
    yield "appended_at timestamptz NOT NULL,"
    yield from ("interval_seconds double precision,", "source text,", "labels_digest bigint,", "labels jsonb,")
    yield from ("blanks text[],", "links jsonb,", "events jsonb,", "exact_values jsonb,")


def _minute_columns(timescale: bool) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and expression of each column of gpu_metrics_1min_base."""
    yield "samples", "bigint NOT NULL", "count(*)"
    for column in _AVG_AND_MAX:
        yield f"avg_{column}", "double precision", f"avg({column})"
        yield f"max_{column}", "double precision", f"max({column})"
    for column in _MIN:
        yield f"min_{column}", "double precision", f"min({column})"
    for column in _LAST:
        yield column, "double precision", f"max({column})"
    yield "throttle_reason", "bigint", "bit_or(throttle_reason::bigint)"
    throttled = f"throttle_reason::bigint & ~{_BENIGN_MASK}::bigint <> 0"
    yield "throttled_samples", "bigint NOT NULL", f"count(*) FILTER (WHERE {throttled})"
    for column in (signal.column for signal in SIGNALS if signal.kind == "counter"):
        known = f"FILTER (WHERE {column} IS NOT NULL)"
        if timescale:
            first, last = f"first({column}, time) {known}", f"last({column}, time) {known}"
        else:
            array = f"(array_agg({column} ORDER BY time) {known})"
            first, last = f"{array}[1]", f"{array}[count({column})]"
        yield f"{column}_first", "double precision", first
        yield f"{column}_last", "double precision", last


def _event_table(table: EventTable) -> str:
    width = "    "
    lines = [
        f'{width}"{column.name}" {column.type}'
        + ("" if column.nullable else " NOT NULL")
        + (" PRIMARY KEY" if column.name == table.key else "")
        for column in table.columns
    ]
    text = f"CREATE TABLE {table.name} (\n" + ",\n".join(lines) + "\n);\n"
    if table.by_gpu:
        text += f'CREATE INDEX {table.name}_gpu ON {table.name} (gpu_id, "{table.time}");\n'
    return text + f'CREATE INDEX {table.name}_time ON {table.name} USING brin ("{table.time}");\n'


def _fill(template: str, parts: Mapping[str, str | list[str]]) -> str:
    text = (SQL_DIR / "templates" / template).read_text(encoding="utf-8")
    for name, part in parts.items():
        marker = "{" + name + "}"
        before = text.partition(marker)[0]
        indent = "\n" + " " * (len(before) - len(before.rstrip(" ")))
        text = text.replace(marker, part if isinstance(part, str) else indent.join(part))
    return text


def generated_files() -> dict[str, str]:
    """Return the text of each generated migration by its path below sql/."""
    files: dict[str, str] = {}
    for flavour in ("plain", "timescale"):
        name = f"gpu_health_metrics.{flavour}.sql"
        files[f"metrics/001_{name}"] = _fill(name, {"columns": list(_metrics_columns())})
        columns = list(_minute_columns(flavour == "timescale"))
        name = f"gpu_metrics_1min.{flavour}.sql"
        last = len(columns) - 1
        comma = ["," if position < last else "" for position in range(len(columns))]
        parts: dict[str, str | list[str]] = {
            "definitions": [f"{column} {kind}," for column, kind, _ in columns],
            "names": [column + end for (column, _, _), end in zip(columns, comma, strict=True)],
            "expressions": [f"{e} AS {column}{end}" for (column, _, e), end in zip(columns, comma, strict=True)],
            "updates": [f"{c} = excluded.{c}{end}" for (c, _, _), end in zip(columns, comma, strict=True)],
        }
        files[f"metrics/004_{name}"] = _fill(name, parts)
    tables = "\n".join(_event_table(table) for table in EVENT_TABLES).rstrip("\n")
    files["metrics/003_events.sql"] = _fill("gpu_events.sql", {"tables": tables})
    return files


def main() -> None:
    """Write the generated migrations."""
    for path, text in generated_files().items():
        (SQL_DIR / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
