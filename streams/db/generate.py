"""Write the next migration for what schemas/ has and sql/ has not: ``python -m streams.db.generate NAME``.

Files that are there stay as they are: a database that applied one holds its checksum. A missing column becomes
``ALTER TABLE ... ADD COLUMN`` with NULL or a constant default, which rewrites no row; a new record becomes a table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agents.store.raw_rows import METRICS_TABLE, SIGNAL_COLUMNS
from agents.store.rows import EVENT_TABLES, Column, EventTable
from schemas.errors import ShutdownError
from streams.db.files import SQL_DIR
from streams.db.migrate import Flavour, migrations

_COMMENT = re.compile(r"--.*")
_CREATE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(\n(.*?)^\)", re.DOTALL | re.MULTILINE)
_DEFINED = re.compile(r'^ +"?([a-z_][a-z0-9_]*)"? ', re.MULTILINE)
_ALTER = re.compile(r"ALTER TABLE (?:ONLY |IF EXISTS )*(\w+)(.*?);", re.DOTALL)
_ADDED = re.compile(r'ADD COLUMN (?:IF NOT EXISTS )?"?(\w+)"?')
_HEAD = "-- Written by `python -m streams.db.generate`: what schemas/ has and no earlier migration adds.\n"


class GenerateError(ShutdownError):
    """No migration can be written; the text names the repair."""


def declared_columns(flavour: Flavour, directory: Path | None = None) -> dict[str, set[str]]:
    """Return the columns of each table by the text of the migrations of ``flavour``.

    It reads ``CREATE TABLE`` with a column a line and ``ALTER TABLE ... ADD COLUMN``, which is how the files are
    written; the integration tests compare a migrated database with the schemas.
    """
    found: dict[str, set[str]] = {}
    for migration in migrations("metrics", directory):
        if migration.flavour not in (None, flavour):
            continue
        text = _COMMENT.sub("", migration.text)
        for table, body in _CREATE.findall(text):
            found.setdefault(table, set()).update(_DEFINED.findall(body))
        for table, actions in _ALTER.findall(text):
            found.setdefault(table, set()).update(_ADDED.findall(actions))
    return found


def next_migration(
    directory: Path | None = None,
    tables: tuple[EventTable, ...] = EVENT_TABLES,
    signals: tuple[str, ...] | None = None,
) -> str | None:
    """Return the text of the migration that adds what is missing; None where nothing is.

    Parameters
    ----------
    directory
        The migrations that are there; those of the metrics database by default.
    tables, signals
        What the schemas ask for: tables of records, and columns of raw samples.

    Raises
    ------
    GenerateError
        A field is missing that is neither nullable nor has a default.
    """
    plain, timescale = (declared_columns(flavour, directory) for flavour in ("plain", "timescale"))
    # Statements have IF NOT EXISTS, so what one kind of server has already does no harm there.
    known = {table: plain[table] & timescale[table] for table in plain.keys() & timescale.keys()}
    wanted = tuple(s.column for s in SIGNAL_COLUMNS) if signals is None else signals
    statements = [
        _add_column(METRICS_TABLE, Column(name, "double precision", True), "")
        for name in wanted
        if name not in known.get(METRICS_TABLE, set())
    ]
    for table in tables:
        if table.name not in known:
            statements.append(_event_table(table))
            continue
        for column in table.columns:
            if column.name not in known[table.name]:
                statements.append(_add_column(table.name, column, _default(table, column)))
    return _HEAD + "".join(statements) if statements else None


def write(name: str, directory: Path | None = None) -> Path | None:
    """Write the next migration as ``NNN_name.sql`` and return its path; None where nothing is missing.

    Raises
    ------
    GenerateError
        The name is no file name, or a field cannot be added to a table that has rows.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise GenerateError(f"{name!r} is no name of a migration: lower-case letters, digits and underscores")
    text = next_migration(directory)
    if text is None:
        return None
    number = max((int(m.file[:3]) for m in migrations("metrics", directory)), default=0) + 1
    path = (directory or SQL_DIR / "metrics") / f"{number:03d}_{name}.sql"
    path.write_text(text, encoding="utf-8")
    return path


def _add_column(table: str, column: Column, default: str) -> str:
    return f'ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "{column.name}" {column.type}{default};\n'


def _default(table: EventTable, column: Column) -> str:
    if column.nullable:
        return ""
    (field,) = [f for f in msgspec.structs.fields(table.record) if f.name == column.name]
    if field.default is not msgspec.NODEFAULT:
        value = field.default
    elif field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    else:
        raise GenerateError(
            f"{table.name}.{column.name} has no value for the rows that are there: "
            f"give the field of {table.record.__name__} a default, or let it be None"
        )
    return f" NOT NULL DEFAULT {_literal(column, value)}"


def _literal(column: Column, value: object) -> str:
    plain = msgspec.to_builtins(value)
    if column.type == "jsonb":
        text = msgspec.json.encode(plain).decode()
    elif isinstance(plain, bool):
        return str(plain).lower()
    elif isinstance(plain, int | float):
        return repr(plain)
    else:
        text = str(plain)
    return "'" + text.replace("'", "''") + "'"


def _event_table(table: EventTable) -> str:
    lines = ",\n".join(f"    {line}" for line in _definitions(table))
    text = f"CREATE TABLE IF NOT EXISTS {table.name} (\n{lines}\n);\n"
    indexes = f"CREATE INDEX IF NOT EXISTS {table.name}"
    if table.by_gpu:
        text += f'{indexes}_gpu ON {table.name} (gpu_id, "{table.time}");\n'
    return text + f'{indexes}_time ON {table.name} USING brin ("{table.time}");\n'


def _definitions(table: EventTable) -> Iterator[str]:
    for column in table.columns:
        null = "" if column.nullable else " NOT NULL"
        key = " PRIMARY KEY" if column.name == table.key else ""
        yield f'"{column.name}" {column.type}{null}{key}'


def main() -> None:
    """Write the next migration, named by the one argument."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m streams.db.generate NAME")
    try:
        path = write(sys.argv[1])
    except GenerateError as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write("nothing is missing: no file written\n" if path is None else f"{path}\n")


if __name__ == "__main__":
    main()
